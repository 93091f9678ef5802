/* What a guest is told of MPI and of itself: versions, levels of thread support, its ABI, its arguments, statuses. */
#include "check.h"

static int holds(MPI_Info info, const char *key, const char *expected) {
    char value[MPI_MAX_INFO_VAL];
    int length = sizeof value, found = 0;
    MPI_Info_get(info, key, length - 1, value, &found);
    return found && strcmp(value, expected) == 0;
}

static void versions(void) {
    int version, subversion;
    MPI_Get_version(&version, &subversion);
    CHECK(version == MPI_VERSION && subversion == MPI_SUBVERSION);
    MPI_Abi_get_version(&version, &subversion);
    CHECK(version == 1 && subversion == 0);
}

static void abi(void) {
    MPI_Info info;
    signed char yes[8] = {-1, -1, -1, -1, -1, -1, -1, -1}, no[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    int set = -1, logical;
    MPI_Abi_get_info(&info);
    CHECK(holds(info, "mpi_aint_size", "4") && holds(info, "mpi_count_size", "8"));
    MPI_Info_free(&info);
    MPI_Abi_get_fortran_info(&info);
    MPI_Type_size(MPI_LOGICAL, &logical);
    CHECK(logical == 4 && holds(info, "mpi_logical_size", "4") && holds(info, "mpi_integer16_supported", "false"));
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    CHECK_IS(MPI_Abi_set_fortran_info(info), MPI_ERR_ABI);
    MPI_Info_free(&info);
    MPI_Abi_get_fortran_booleans(4, yes, no, &set);
    CHECK(set && yes[0] == 1 && yes[3] == 0 && yes[4] == -1 && no[0] == 0 && no[4] == -1);
    MPI_Abi_get_fortran_booleans(16, yes, no, &set);
    CHECK_IS(set, 0);
    CHECK_IS(MPI_Abi_get_fortran_booleans(3, yes, no, &set), MPI_ERR_ARG);
    CHECK_IS(MPI_Abi_set_fortran_booleans(4, yes, no), MPI_ERR_ABI);
}

static void statuses(void) {
    MPI_Status status = {.MPI_SOURCE = 3, .MPI_TAG = 4, .MPI_ERROR = 5}, back;
    MPI_F08_status other;
    MPI_Fint numbers[MPI_F_STATUS_SIZE];
    MPI_Status_c2f08(&status, &other);
    MPI_Status_f082f(&other, numbers);
    CHECK(numbers[MPI_F_SOURCE] == 3 && numbers[MPI_F_TAG] == 4 && numbers[MPI_F_ERROR] == 5);
    MPI_Status_f2f08(numbers, &other);
    MPI_Status_f082c(&other, &back);
    CHECK(memcmp(&status, &back, sizeof back) == 0);
    memset(numbers, 0, sizeof numbers);
    memset(&back, 0, sizeof back);
    MPI_Status_c2f(&status, numbers);
    MPI_Status_f2c(numbers, &back);
    CHECK(numbers[MPI_F_TAG] == 4 && memcmp(&status, &back, sizeof back) == 0);
}

int main(int argc, char **argv) {
    int provided = -1, queried = -1, main_thread = 0;
    char *arguments[] = {(char *)"program", (char *)"one", (char *)"two", NULL};
    MPI_Info info;
    versions(); /* at any time */
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    CHECK(provided >= MPI_THREAD_SINGLE && provided <= MPI_THREAD_SERIALIZED); /* a guest has one thread */
    MPI_Query_thread(&queried);
    CHECK_IS(queried, provided);
    MPI_Is_thread_main(&main_thread);
    CHECK_IS(main_thread, 1);
    abi();
    statuses();
    MPI_Info_create_env(3, arguments, &info);
    CHECK(holds(info, "command", "program") && holds(info, "argv", "one two"));
    MPI_Info_free(&info);
    MPI_Info_create_env(0, NULL, &info);
    CHECK(!holds(info, "command", "program"));
    MPI_Info_free(&info);
    return end();
}
