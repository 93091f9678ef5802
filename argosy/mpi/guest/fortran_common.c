/* mpif.h's COMMON blocks, for programs whose own files do not name them. */
__attribute__((weak)) int mpipriv1_[22];
__attribute__((weak)) char mpiprivc_[2];
