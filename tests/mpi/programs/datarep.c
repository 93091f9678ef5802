/* Data representations of the application's own: what is registered, and the library's answer to the rest. */
#include "check.h"

static int extent(MPI_Datatype datatype, MPI_Aint *bytes, void *state) {
    (void)datatype, (void)state;
    *bytes = 4;
    return MPI_SUCCESS;
}
static int convert(void *user, MPI_Datatype datatype, int count, void *file, MPI_Offset position, void *state) {
    (void)user, (void)datatype, (void)count, (void)file, (void)position, (void)state;
    return MPI_SUCCESS;
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    char longer[4 * MPI_MAX_DATAREP_STRING];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    int class = MPI_SUCCESS;
    MPI_Error_class(MPI_Register_datarep("mine", convert, convert, extent, NULL), &class);
    CHECK(class == MPI_SUCCESS || class == MPI_ERR_CONVERSION || class == MPI_ERR_UNSUPPORTED_DATAREP);
    MPI_Register_datarep("plain", MPI_CONVERSION_FN_NULL, MPI_CONVERSION_FN_NULL, extent, NULL);
    int code = MPI_Register_datarep("plain", MPI_CONVERSION_FN_NULL, MPI_CONVERSION_FN_NULL, extent, NULL);
    MPI_Error_class(code, &class);
    CHECK_IS(class, MPI_ERR_DUP_DATAREP);
    CHECK_IS(MPI_Register_datarep(longer, convert, convert, extent, NULL), MPI_ERR_ARG);
    CHECK_IS(MPI_Register_datarep("none", convert, convert, NULL, NULL), MPI_ERR_ARG);
    CHECK_IS(MPI_Register_datarep("other", (MPI_Datarep_conversion_function *)(void *)extent, convert, extent, NULL),
             MPI_ERR_ARG);
    return end();
}
