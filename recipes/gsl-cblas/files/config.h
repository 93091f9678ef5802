/* What GSL's configure would find and its CBLAS uses. */
#define RETURN_IF_NULL(x) if (!x) { return ; }
