/* MPI-IO inside the granted folder, and nowhere else. The folder is "."; "outside" is a link out of it, "dangling" one to
 * nothing out of it, "link" one to "data". */
#include "check.h"

static MPI_File opened(const char *name, int mode) {
    MPI_File file = MPI_FILE_NULL;
    CHECK_IS(MPI_File_open(MPI_COMM_WORLD, name, mode, MPI_INFO_NULL, &file), MPI_SUCCESS);
    return file;
}

static int heard;
static void hear(MPI_File *file, int *code, ...) {
    (void)file;
    (void)code;
    heard++;
}

/* A lower bound moves no data: MPICH 4.0's ROMIO thinks that it does. */
static void bounded(MPI_File file) {
    int from[64], to[64], plain[4], wrong = 0;
    MPI_Datatype every, moved, both[2];
    MPI_Status status;
    MPI_Request request;
    MPI_Type_vector(2, 1, 2, MPI_INT, &every);
    MPI_Type_create_resized(every, -64, 32, &moved); /* integers 0 and 2, and then 8 and 10 */
    MPI_Type_dup(moved, &both[0]);
    MPI_Type_contiguous(1, moved, &both[1]);
    for (int i = 0; i < 64; i++) {
        from[i] = 100 * rank + i;
    }
    for (int way = 0; way < 2; way++) {
        MPI_Offset at = 4096 + 16 * rank;
        MPI_Type_commit(&both[way]);
        memset(to, 0, sizeof to);
        MPI_File_write_at(file, at, from + 32, 2, both[way], &status);
        MPI_File_read_at(file, at, plain, 4, MPI_INT, &status);
        CHECK(plain[0] == from[32] && plain[1] == from[34] && plain[2] == from[40] && plain[3] == from[42]);
        MPI_File_read_at_all(file, at, to + 32, 2, both[way], &status);
        for (int i = 0; i < 64; i++) {
            wrong += to[i] != (i == 32 || i == 34 || i == 40 || i == 42 ? from[i] : 0);
        }
        CHECK_IS(wrong, 0);
        MPI_Get_count(&status, both[way], &wrong);
        CHECK_IS(wrong, 2);
        wrong = MPI_File_iwrite_at(file, at, from + 32, 2, both[way], &request);
        CHECK(wrong == MPI_SUCCESS || class_of(wrong) == MPI_ERR_UNSUPPORTED_OPERATION);
        if (wrong == MPI_SUCCESS) {
            MPI_Wait(&request, &status);
        }
        wrong = 0;
        MPI_Type_free(&both[way]);
    }
    MPI_Type_free(&moved);
    MPI_Type_free(&every);
}

/* Files have the handler that MPI_FILE_NULL has when they are opened, and it stays when they are closed. */
static void handed_down(void) {
    MPI_Errhandler handler;
    MPI_File file = MPI_FILE_NULL;
    MPI_File_create_errhandler(hear, &handler);
    MPI_File_set_errhandler(MPI_FILE_NULL, handler);
    MPI_Errhandler_free(&handler);
    for (int i = 0; i < 4; i++) {
        file = opened("shared", MPI_MODE_RDWR);
        MPI_File_close(&file);
    }
    CHECK_IS(heard, 0);
    MPI_File_open(MPI_COMM_WORLD, "absent", MPI_MODE_RDONLY, MPI_INFO_NULL, &file);
    CHECK(is_open_mpi() || heard == 1); /* see nulls.c */
    MPI_File_set_errhandler(MPI_FILE_NULL, MPI_ERRORS_RETURN);
}

/* One pointer for all ranks, and accesses in two halves. */
static void shares(void) {
    MPI_File file = opened("shared", MPI_MODE_CREATE | MPI_MODE_RDWR);
    MPI_Status status;
    int mine[2] = {rank, -rank}, got[2] = {99, 99}, sum = 0, all = 0;
    CHECK_IS(MPI_File_write_shared(file, mine, 2, MPI_INT, &status), MPI_SUCCESS);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Offset bytes = 0;
    MPI_File_get_size(file, &bytes);
    CHECK_IS(bytes, size * (int)sizeof mine);
    MPI_File_seek_shared(file, 0, MPI_SEEK_SET);
    MPI_File_read_shared(file, got, 2, MPI_INT, &status);
    CHECK_IS(got[0], -got[1]);
    sum = got[0];
    MPI_Allreduce(&sum, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    CHECK_IS(all, size * (size - 1) / 2);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_File_seek_shared(file, 0, MPI_SEEK_SET);
    MPI_File_write_ordered(file, mine, 2, MPI_INT, &status);
    MPI_File_sync(file);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_File_read_at_all_begin(file, (MPI_Offset)rank * sizeof mine, got, 2, MPI_INT);
    MPI_File_read_at_all_end(file, got, &status);
    CHECK_IS(got[1], -rank);
    CHECK_IS(class_of(MPI_File_write_all_end(file, mine, &status)), MPI_ERR_OTHER);
    CHECK_IS(MPI_File_write_all_begin(file, mine, 0, MPI_INT), MPI_SUCCESS);
    CHECK_IS(class_of(MPI_File_read_all_begin(file, mine, 0, MPI_INT)), MPI_ERR_OTHER); /* one at a time */
    CHECK_IS(class_of(MPI_File_read_all_end(file, mine, &status)), MPI_ERR_OTHER);
    MPI_File same = file;
    CHECK_IS(class_of(MPI_File_close(&same)), MPI_ERR_OTHER);
    CHECK_IS(MPI_File_write_all_end(file, mine, &status), MPI_SUCCESS);
    int atomic = 9;
    CHECK_IS(MPI_File_set_atomicity(file, 1), MPI_SUCCESS);
    MPI_File_get_atomicity(file, &atomic);
    CHECK_IS(atomic, 1);
    MPI_File_close(&file);
}

static void modes(void) {
    int mode = 0;
    MPI_File file = opened("fleeting", MPI_MODE_CREATE | MPI_MODE_EXCL | MPI_MODE_RDWR | MPI_MODE_DELETE_ON_CLOSE);
    MPI_File_get_amode(file, &mode);
    CHECK_IS(mode, MPI_MODE_CREATE | MPI_MODE_EXCL | MPI_MODE_RDWR | MPI_MODE_DELETE_ON_CLOSE);
    MPI_File_close(&file);
    CHECK_IS(class_of(MPI_File_open(MPI_COMM_WORLD, "fleeting", MPI_MODE_RDONLY, MPI_INFO_NULL, &file)),
             MPI_ERR_NO_SUCH_FILE);
    file = opened("grown", MPI_MODE_CREATE | MPI_MODE_RDWR);
    MPI_Offset bytes = 0;
    /* More than any disk has: nothing is written. */
    CHECK_IS(class_of(MPI_File_preallocate(file, (MPI_Offset)1 << 51)), MPI_ERR_NO_SPACE);
    MPI_File_get_size(file, &bytes);
    CHECK_IS(bytes, 0);
    MPI_Barrier(MPI_COMM_WORLD); /* else one rank sees what another has already begun to do */
    CHECK_IS(MPI_File_preallocate(file, 5000), MPI_SUCCESS);
    MPI_File_get_size(file, &bytes);
    CHECK_IS(bytes, 5000);
    MPI_Barrier(MPI_COMM_WORLD);
    CHECK_IS(MPI_File_set_size(file, 12), MPI_SUCCESS);
    MPI_File_get_size(file, &bytes);
    CHECK_IS(bytes, 12);
    MPI_File_close(&file);
    file = opened("link", MPI_MODE_CREATE | MPI_MODE_RDWR);
    MPI_File_close(&file);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) {
        CHECK_IS(MPI_File_delete("data", MPI_INFO_NULL), MPI_SUCCESS); /* where the link leads */
        CHECK_IS(class_of(MPI_File_delete("data", MPI_INFO_NULL)), MPI_ERR_NO_SUCH_FILE);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

/* A file is closed when all that was asked of it has been completed: by the guest, or for it where it freed a request. */
static void pending(void) {
    MPI_File file = opened("shared", MPI_MODE_RDWR), same = file;
    int mine[4] = {rank, rank, rank, rank}, got = -1;
    MPI_Request request;
    MPI_File_iwrite_at(file, (MPI_Offset)rank * sizeof mine, mine, 4, MPI_INT, &request);
    CHECK_IS(class_of(MPI_File_close(&same)), MPI_ERR_OTHER);
    CHECK_IS(MPI_Wait(&request, MPI_STATUS_IGNORE), MPI_SUCCESS);

    /* The datatype of an access may be freed before that has completed. */
    int apart[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    MPI_Datatype sparse, other;
    MPI_Type_vector(4, 1, 2, MPI_INT, &sparse);
    MPI_Type_commit(&sparse);
    MPI_File_iread_at(file, (MPI_Offset)rank * sizeof mine, apart, 1, sparse, &request);
    MPI_Type_free(&sparse);
    MPI_Type_vector(100, 1, 300, MPI_DOUBLE, &other);
    CHECK_IS(MPI_Wait(&request, MPI_STATUS_IGNORE), MPI_SUCCESS);
    CHECK(apart[0] == rank && apart[1] == -1 && apart[6] == rank);
    MPI_Type_free(&other);
    MPI_Type_vector(4, 1, 2, MPI_INT, &sparse);
    MPI_Type_commit(&sparse);
    apart[0] = apart[6] = -1;
    MPI_File_iread_at_all(file, (MPI_Offset)rank * sizeof mine, apart, 1, sparse, &request);
    MPI_Type_free(&sparse);
    MPI_Type_contiguous(100, MPI_DOUBLE, &other);
    CHECK_IS(MPI_Wait(&request, MPI_STATUS_IGNORE), MPI_SUCCESS);
    CHECK(apart[0] == rank && apart[1] == -1 && apart[6] == rank);
    MPI_Type_free(&other);
    mine[3] = -rank;
    MPI_File_iwrite_at(file, (MPI_Offset)rank * sizeof mine, mine, 4, MPI_INT, &request);
    CHECK_IS(MPI_Request_free(&request), MPI_SUCCESS);
    CHECK(request == MPI_REQUEST_NULL);
    CHECK_IS(MPI_File_close(&file), MPI_SUCCESS);
    file = opened("shared", MPI_MODE_RDONLY);
    MPI_File_read_at(file, (MPI_Offset)rank * sizeof mine + 12, &got, 1, MPI_INT, MPI_STATUS_IGNORE);
    CHECK_IS(got, -rank);
    MPI_File_close(&file);
}

/* A file of external32 holds the numbers from their highest byte, with or without holes in memory; what was not read
 * stays as it was. */
static void external(void) {
    MPI_File file = MPI_FILE_NULL;
    MPI_Status status;
    MPI_Datatype sparse, mixed;
    unsigned char bytes[16] = {0};
    int four[8] = {0x01020304, -1, 0x05060708, -1, 9, -1, 10, -1}, got[8] = {7, 7, 7, 7, 7, 7, 7, 7}, count = -1;
    MPI_Type_create_resized(MPI_INT, 0, 2 * sizeof(int), &sparse);
    MPI_Type_commit(&sparse);
    MPI_Type_create_struct(2, (int[]){1, 1}, (MPI_Aint[]){0, 8}, (MPI_Datatype[]){MPI_DOUBLE, MPI_INT}, &mixed);
    MPI_Type_commit(&mixed);
    MPI_File_open(MPI_COMM_SELF, rank == 0 ? "fleeting" : "grown",
                  MPI_MODE_RDWR | (rank == 0 ? MPI_MODE_CREATE | MPI_MODE_DELETE_ON_CLOSE : 0), MPI_INFO_NULL, &file);
    if (rank == 0 && MPI_File_set_view(file, 0, MPI_INT, MPI_INT, "external32", MPI_INFO_NULL) == MPI_SUCCESS) {
        char datarep[MPI_MAX_DATAREP_STRING] = "";
        MPI_Offset offset;
        MPI_Datatype etype, filetype;
        MPI_File_get_view(file, &offset, &etype, &filetype, datarep);
        CHECK(strcmp(datarep, "external32") == 0);
        CHECK_IS(MPI_File_write_at(file, 0, four, 4, sparse, &status), MPI_SUCCESS);
        MPI_Get_count(&status, sparse, &count);
        CHECK_IS(count, 4);
        CHECK_IS(MPI_File_read_at(file, 1, got, 4, sparse, &status), MPI_SUCCESS);
        MPI_Get_count(&status, sparse, &count);
        CHECK_IS(count, 3);
        CHECK(got[0] == 0x05060708 && got[1] == 7 && got[2] == 9 && got[4] == 10);
        CHECK(got[6] == 7 || got[6] == 10); /* Open MPI 4.1 repeats the last */
        MPI_File_seek(file, 0, MPI_SEEK_SET);
        CHECK_IS(MPI_File_read(file, got, 2, MPI_INT, MPI_STATUS_IGNORE), MPI_SUCCESS);
        CHECK(got[0] == four[0] && got[1] == four[2] && got[2] == 9);
        MPI_File_write_at(file, 100, four, 1, mixed, &status); /* MPICH ends the process where this is not refused */
        MPI_File_write_at(file, 100, four, 1, MPI_LONG_DOUBLE_INT, &status);
        MPI_File_set_view(file, 0, MPI_BYTE, MPI_BYTE, "native", MPI_INFO_NULL);
        CHECK_IS(MPI_File_read_at(file, 8, bytes, 8, MPI_BYTE, &status), MPI_SUCCESS);
        CHECK(bytes[3] == 9 && bytes[7] == 10 && bytes[0] == 0);
    }
    MPI_File_close(&file);
    MPI_Type_free(&sparse);
    MPI_Type_free(&mixed);
    MPI_Barrier(MPI_COMM_WORLD);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    modes();
    shares();
    pending();
    external();
    MPI_File file;
    MPI_Status status;
    MPI_Offset bytes;
    int values[4], got[4] = {0}, mode, count;
    for (int i = 0; i < 4; i++) {
        values[i] = 10 * rank + i;
    }
    CHECK_IS(MPI_File_open(MPI_COMM_WORLD, "data", MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL, &file), MPI_SUCCESS);
    MPI_File_get_amode(file, &mode);
    CHECK_IS(mode, MPI_MODE_CREATE | MPI_MODE_RDWR);
    MPI_File_write_at_all(file, (MPI_Offset)rank * sizeof values, values, 4, MPI_INT, &status);
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK_IS(count, 4);
    MPI_File_sync(file);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_File_get_size(file, &bytes);
    CHECK_IS(bytes, size * (int)sizeof values);
    int other = (rank + 1) % size;
    MPI_File_read_at(file, (MPI_Offset)other * sizeof values, got, 4, MPI_INT, &status);
    CHECK_IS(got[3], 10 * other + 3);

    /* Every rank sees each size-th integer. */
    MPI_Datatype every;
    MPI_Type_vector(2, 1, size, MPI_INT, &every);
    MPI_Type_commit(&every);
    MPI_File_set_view(file, (MPI_Offset)rank * sizeof(int), MPI_INT, every, "native", MPI_INFO_NULL);
    MPI_File_read_all(file, got, 2, MPI_INT, MPI_STATUS_IGNORE);
    CHECK_IS(got[1], (rank + size) / 4 * 10 + (rank + size) % 4);
    MPI_Offset at;
    MPI_File_get_position(file, &at);
    CHECK_IS(at, 2);
    MPI_File_seek(file, 0, MPI_SEEK_SET);
    MPI_Request request;
    MPI_File_iread(file, got, 1, MPI_INT, &request);
    MPI_Wait(&request, &status);
    CHECK_IS(got[0], rank / 4 * 10 + rank % 4);
    MPI_File_set_view(file, 0, MPI_BYTE, MPI_BYTE, "native", MPI_INFO_NULL);

    /* What overlaps itself is no view to write in; the file can be used nevertheless. */
    MPI_Datatype overlapping;
    MPI_Type_vector(2, 7, 2, MPI_INT, &overlapping);
    MPI_Type_commit(&overlapping);
    MPI_File_set_view(file, 0, MPI_INT, overlapping, "native", MPI_INFO_NULL);
    MPI_File_seek(file, 0, MPI_SEEK_SET);
    CHECK_IS(MPI_File_read_all_begin(file, got, 2, MPI_INT), MPI_SUCCESS);
    CHECK_IS(MPI_File_read_all_end(file, got, &status), MPI_SUCCESS);
    MPI_Type_free(&overlapping);
    MPI_File_set_view(file, 0, MPI_BYTE, MPI_BYTE, "native", MPI_INFO_NULL);

    bounded(file);

    /* A zero-sized element would be divided by. */
    MPI_Datatype nothing;
    MPI_Type_contiguous(0, MPI_INT, &nothing);
    MPI_Type_commit(&nothing);
    CHECK(class_of(MPI_File_set_view(file, 0, nothing, nothing, "native", MPI_INFO_NULL)) != MPI_SUCCESS);
    CHECK_IS(MPI_File_read_at(file, 0, got, 3, nothing, &status), MPI_SUCCESS);
    CHECK_IS(MPI_File_iread_at(file, 0, got, 3, nothing, &request), MPI_SUCCESS);
    CHECK_IS(MPI_Wait(&request, &status), MPI_SUCCESS);
    MPI_Type_free(&nothing);
    MPI_Type_free(&every);
    CHECK_IS(class_of(MPI_File_read_at(file, 0, (void *)0xfffffff0, 100, MPI_INT, &status)), MPI_ERR_BUFFER);
    MPI_File_close(&file);
    CHECK(file == MPI_FILE_NULL);

    /* ROMIO opens what is behind a colon. */
    const char *outside[] = {"/etc/passwd", "../secret", "outside/secret", "a/../../secret", "", "ufs:secret", "folder:/secret",
                             "."};
    CHECK(class_of(MPI_File_open(MPI_COMM_WORLD, "dangling", MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL, &file)) !=
          MPI_SUCCESS);
    CHECK(class_of(MPI_File_open(MPI_COMM_WORLD, "ufs:new", MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL, &file)) !=
          MPI_SUCCESS);
    for (int i = 0; i < 8; i++) {
        CHECK(class_of(MPI_File_open(MPI_COMM_SELF, outside[i], MPI_MODE_RDONLY, MPI_INFO_NULL, &file)) != MPI_SUCCESS);
        CHECK(class_of(MPI_File_delete(outside[i], MPI_INFO_NULL)) != MPI_SUCCESS);
    }
    char name[256];
    memset(name, 'n', 255), name[0] = (char)('0' + rank), name[255] = '\0';
    int opened = MPI_File_open(MPI_COMM_SELF, name, MPI_MODE_CREATE | MPI_MODE_RDWR | MPI_MODE_DELETE_ON_CLOSE,
                               MPI_INFO_NULL, &file);
    CHECK(is_open_mpi() ? class_of(opened) == MPI_ERR_BAD_FILE : opened == MPI_SUCCESS);
    if (opened == MPI_SUCCESS) {
        MPI_File_close(&file);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) {
        CHECK_IS(MPI_File_delete("data", MPI_INFO_NULL), MPI_SUCCESS);
    }
    handed_down();
    return end();
}
