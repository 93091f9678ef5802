/* Wrong arguments give the class that the standard names, and touch nothing outside the guest's memory. */
#include "check.h"

static void buffers(void) {
    static double data[16];
    int bytes = __builtin_wasm_memory_size(0) * 65536;
    char *end = (char *)(uintptr_t)bytes;
    int counts[8], displs[8], ones[8];
    MPI_Datatype types[8], far, stride0;
    MPI_Request request = MPI_REQUEST_NULL;
    for (int i = 0; i < 8; i++) {
        counts[i] = displs[i] = 0, ones[i] = 1, types[i] = MPI_DOUBLE;
    }
    GIVES(MPI_Send(end - 8, 2, MPI_DOUBLE, MPI_PROC_NULL, 0, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    GIVES(MPI_Send(data, 0x7fffffff, MPI_DOUBLE, MPI_PROC_NULL, 0, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    GIVES(MPI_Send(data, -1, MPI_DOUBLE, MPI_PROC_NULL, 0, MPI_COMM_WORLD), MPI_ERR_COUNT);
    GIVES(MPI_Recv((void *)0xfffffff8, 1, MPI_LONG_LONG, MPI_PROC_NULL, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE),
          MPI_ERR_BUFFER);
    GIVES(MPI_Irecv(end - 4, 1, MPI_DOUBLE, MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &request), MPI_ERR_BUFFER);
    CHECK(request == MPI_REQUEST_NULL);
    GIVES(MPI_Send(end, 0, MPI_DOUBLE, MPI_PROC_NULL, 0, MPI_COMM_WORLD), MPI_SUCCESS);
    GIVES(MPI_Bcast(end - 8, 2, MPI_DOUBLE, 0, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    GIVES(MPI_Allreduce(data, end - 8, 2, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    GIVES(MPI_Allgather(data, 1, MPI_DOUBLE, end - 8, 1, MPI_DOUBLE, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    displs[size - 1] = 0x40000000;
    GIVES(MPI_Alltoallv(data, ones, displs, MPI_DOUBLE, data, ones, counts, MPI_DOUBLE, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    displs[size - 1] = -0x40000000;
    GIVES(MPI_Allgatherv(data, 1, MPI_DOUBLE, data, ones, displs, MPI_DOUBLE, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    GIVES(MPI_Alltoallw(data, ones, displs, types, data, ones, counts, types, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    displs[size - 1] = 0;
    counts[0] = -5;
    GIVES(MPI_Alltoallv(data, counts, displs, MPI_DOUBLE, data, ones, displs, MPI_DOUBLE, MPI_COMM_WORLD), MPI_ERR_COUNT);
    GIVES(MPI_Alltoallv(data, (int *)(end - 2), displs, MPI_DOUBLE, data, ones, displs, MPI_DOUBLE, MPI_COMM_WORLD),
          MPI_ERR_ARG);

    /* MPI_IN_PLACE where nothing may stand for a buffer. */
    GIVES(MPI_Reduce_local(MPI_IN_PLACE, data, 1, MPI_DOUBLE, MPI_SUM), MPI_ERR_BUFFER);
    GIVES(MPI_Reduce_local(data, MPI_IN_PLACE, 1, MPI_DOUBLE, MPI_SUM), MPI_ERR_BUFFER);
    GIVES(MPI_Bcast(MPI_IN_PLACE, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    GIVES(MPI_Allgatherv(data, 1, MPI_DOUBLE, MPI_IN_PLACE, ones, displs, MPI_DOUBLE, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    GIVES(MPI_Send(MPI_IN_PLACE, 0, MPI_DOUBLE, MPI_PROC_NULL, 0, MPI_COMM_WORLD), MPI_SUCCESS);

    /* A datatype whose data lie far from where its extent says. */
    MPI_Type_create_hindexed(1, (int[]){1}, (MPI_Aint[]){0x70000000}, MPI_INT, &far);
    MPI_Type_commit(&far);
    GIVES(MPI_Send(data, 1, far, MPI_PROC_NULL, 0, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    MPI_Type_free(&far);
    MPI_Type_create_hindexed(1, (int[]){1}, (MPI_Aint[]){-0x70000000}, MPI_INT, &far);
    MPI_Type_create_resized(far, 0, 4, &stride0);
    MPI_Type_commit(&stride0);
    GIVES(MPI_Send(data, 1, stride0, MPI_PROC_NULL, 0, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    MPI_Type_free(&far);
    MPI_Type_free(&stride0);

    /* Without an extent, any count lies in memory; so much data is refused all the same. */
    MPI_Type_create_resized(MPI_DOUBLE, 0, 0, &stride0);
    MPI_Type_contiguous(0x7fffffff, stride0, &far);
    MPI_Type_commit(&far);
    GIVES(MPI_Send(data, 0x7fffffff, far, MPI_PROC_NULL, 0, MPI_COMM_WORLD), MPI_ERR_COUNT);
    MPI_Type_free(&far);
    MPI_Type_free(&stride0);
}

static void types(void) {
    static int value[4];
    MPI_Datatype type, wider, widest;
    MPI_Type_contiguous(2, MPI_INT, &type);
    GIVES(MPI_Send(value, 1, type, MPI_PROC_NULL, 0, MPI_COMM_WORLD), MPI_ERR_TYPE); /* not committed */
    MPI_Type_commit(&type);
    GIVES(MPI_Send(value, 1, type, MPI_PROC_NULL, 0, MPI_COMM_WORLD), MPI_SUCCESS);
    MPI_Type_dup(type, &wider);
    GIVES(MPI_Send(value, 1, wider, MPI_PROC_NULL, 0, MPI_COMM_WORLD), MPI_SUCCESS);
    MPI_Type_free(&wider);
    /* Extents and sizes that would wrap in MPI's arithmetic, and then be believed. */
    MPI_Type_create_hvector(0x4000, 1, 0x7fffffff, type, &wider);
    GIVES(MPI_Type_vector(0x7fffffff, 1, 0x7fffffff, wider, &widest), MPI_ERR_ARG);
    GIVES(MPI_Type_contiguous(0x7fffffff, wider, &widest), MPI_ERR_ARG);
    GIVES(MPI_Type_create_subarray(3, (int[]){0x7fffffff, 0x7fffffff, 2}, (int[]){1, 1, 1}, (int[]){0, 0, 0}, MPI_ORDER_C,
                                   type, &widest),
          MPI_ERR_ARG);
    MPI_Type_free(&wider);
    MPI_Type_create_resized(type, 0, 0, &wider);
    GIVES(MPI_Type_vector(0x7fffffff, 0x7fffffff, 0, wider, &widest), MPI_ERR_ARG); /* no extent, but 2^65 bytes */
    MPI_Type_free(&wider);
    MPI_Type_free(&type);
    MPI_Group world, some;
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    GIVES(MPI_Group_incl(world, 1, (int[]){size}, &some), MPI_ERR_RANK);
    GIVES(MPI_Group_incl(world, 2, (int[]){0, 0}, &some), MPI_ERR_RANK);
    GIVES(MPI_Group_excl(world, 3, (int[]){0, 1, 0}, &some), MPI_ERR_RANK);
    GIVES(MPI_Group_range_incl(world, 1, (int[1][3]){{0, size, 1}}, &some), MPI_ERR_RANK);
    GIVES(MPI_Group_range_incl(world, 1, (int[1][3]){{0, size - 1, 1}}, &some), MPI_SUCCESS);
    MPI_Group_free(&some);
    MPI_Group_free(&world);
}

static void results(void) {
    char *end = (char *)(uintptr_t)(__builtin_wasm_memory_size(0) * 65536);
    int value = 0;
    MPI_Request request = MPI_REQUEST_NULL, requests[3] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    GIVES(MPI_Comm_rank(MPI_COMM_WORLD, (int *)(end - 2)), MPI_ERR_ARG);
    GIVES(MPI_Recv(&value, 0, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, (MPI_Status *)(end - 31)), MPI_ERR_ARG);
    GIVES(MPI_Waitall(3, requests, (MPI_Status *)(end - 64)), MPI_ERR_ARG);
    GIVES(MPI_Waitall(0x40000000, requests, MPI_STATUSES_IGNORE), MPI_ERR_REQUEST);
    GIVES(MPI_Waitall(-1, requests, MPI_STATUSES_IGNORE), MPI_ERR_ARG);
    GIVES(MPI_Get_processor_name(end - 1, &value), MPI_ERR_ARG);
    MPI_Irecv(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &request);
    requests[0] = requests[2] = request;
    if (request != MPI_REQUEST_NULL) {
        GIVES(MPI_Waitall(3, requests, MPI_STATUSES_IGNORE), MPI_ERR_REQUEST); /* one request twice */
        MPI_Wait(&request, MPI_STATUS_IGNORE);
        GIVES(MPI_Waitall(1, requests, MPI_STATUSES_IGNORE), MPI_ERR_REQUEST); /* and one that is over */
    }
    MPI_Info info;
    MPI_Info_create(&info);
    memset(end - 16, 'x', 16); /* a string that does not end */
    GIVES(MPI_Info_set(info, end - 16, "value"), MPI_ERR_ARG);
    MPI_Info_free(&info);
}

static void handles(void) {
    static int value;
    MPI_Comm comm, comm_copy;
    MPI_Datatype type, type_copy;
    MPI_Group group, group_copy;
    MPI_Op op, op_copy;
    GIVES(MPI_Send(&value, 1, MPI_INT, 0, 0, MPI_COMM_NULL), MPI_ERR_COMM);
    GIVES(MPI_Send(&value, 1, MPI_INT, 0, 0, (MPI_Comm)0x12345678), MPI_ERR_COMM);
    GIVES(MPI_Send(&value, 1, MPI_INT, 0, 0, (MPI_Comm)0x00100000), MPI_ERR_COMM);
    GIVES(MPI_Send(&value, 1, MPI_INT, 0, 0, (MPI_Comm)MPI_INT), MPI_ERR_COMM);
    GIVES(MPI_Send(&value, 1, MPI_DATATYPE_NULL, 0, 0, MPI_COMM_WORLD), MPI_ERR_TYPE);
    GIVES(MPI_Send(&value, 1, (MPI_Datatype)0x7fffffff, 0, 0, MPI_COMM_WORLD), MPI_ERR_TYPE);
    GIVES(MPI_Allreduce(&value, &value, 1, MPI_INT, (MPI_Op)3, MPI_COMM_WORLD), MPI_ERR_OP);
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    comm_copy = comm;
    MPI_Comm_free(&comm);
    GIVES(MPI_Barrier(comm_copy), MPI_ERR_COMM);
    GIVES(MPI_Comm_free(&comm_copy), MPI_ERR_COMM);
    MPI_Type_contiguous(2, MPI_INT, &type);
    type_copy = type;
    MPI_Type_free(&type);
    GIVES(MPI_Type_commit(&type_copy), MPI_ERR_TYPE);
    MPI_Type_contiguous(3, MPI_INT, &type); /* takes the same place, and is another one */
    CHECK(type != type_copy);
    GIVES(MPI_Type_commit(&type_copy), MPI_ERR_TYPE);
    MPI_Type_free(&type);
    MPI_Comm_group(MPI_COMM_WORLD, &group);
    group_copy = group;
    MPI_Group_free(&group);
    GIVES(MPI_Group_size(group_copy, &value), MPI_ERR_GROUP);
    GIVES(MPI_Op_create((MPI_User_function *)77777, 1, &op), MPI_ERR_ARG); /* no such function */
    GIVES(MPI_Op_create((MPI_User_function *)(void *)handles, 1, &op), MPI_ERR_ARG); /* of another signature */
    op_copy = (MPI_Op)0x00100000;
    GIVES(MPI_Op_free(&op_copy), MPI_ERR_OP);
    long double quad = 1;
    GIVES(MPI_Allreduce(MPI_IN_PLACE, &quad, 1, MPI_LONG_DOUBLE, (MPI_Op)MPI_BAND, MPI_COMM_WORLD), MPI_ERR_OP);
    float more[2] = {1, 1}; /* MPI says that these take no reals; some libraries compute them all the same */
    value = MPI_Reduce_local(&more[0], &more[1], 1, MPI_FLOAT, MPI_LAND);
    CHECK(value == MPI_SUCCESS || class_of(value) == MPI_ERR_OP);
    value = MPI_Allreduce(MPI_IN_PLACE, more, 1, MPI_FLOAT, MPI_LOR, MPI_COMM_WORLD);
    CHECK(value == MPI_SUCCESS || class_of(value) == MPI_ERR_OP);
}

static void numbers(void) {
    static int value, values[8];
    MPI_Comm comm;
    GIVES(MPI_Send(&value, 1, MPI_INT, size, 0, MPI_COMM_WORLD), MPI_ERR_RANK);
    GIVES(MPI_Send(&value, 1, MPI_INT, MPI_ANY_SOURCE, 0, MPI_COMM_WORLD), MPI_ERR_RANK);
    GIVES(MPI_Send(&value, 1, MPI_INT, 0, -1, MPI_COMM_WORLD), MPI_ERR_TAG);
    GIVES(MPI_Send(&value, 1, MPI_INT, 0, MPI_ANY_TAG, MPI_COMM_WORLD), MPI_ERR_TAG);
    GIVES(MPI_Bcast(&value, 1, MPI_INT, size, MPI_COMM_WORLD), MPI_ERR_ROOT);
    GIVES(MPI_Bcast(&value, 1, MPI_INT, MPI_ROOT, MPI_COMM_WORLD), MPI_ERR_ROOT);
    CHECK(class_of(MPI_Cart_create(MPI_COMM_WORLD, 1, (int[]){size + 5}, values, 0, &comm)) != MPI_SUCCESS);
    CHECK(class_of(MPI_Cart_create(MPI_COMM_WORLD, 0x7fffffff, values, values, 0, &comm)) != MPI_SUCCESS);
    MPI_Datatype type;
    CHECK(class_of(MPI_Type_contiguous(-1, MPI_INT, &type)) != MPI_SUCCESS);
    CHECK(class_of(MPI_Type_vector(2, -1, 1, MPI_INT, &type)) != MPI_SUCCESS);
    CHECK(class_of(MPI_Type_indexed(0x7fffffff, values, values, MPI_INT, &type)) != MPI_SUCCESS);
    CHECK(class_of(MPI_Type_create_subarray(1, (int[]){4}, (int[]){2}, values, 999, MPI_INT, &type)) != MPI_SUCCESS);
    CHECK(class_of(MPI_Comm_get_attr(MPI_COMM_WORLD, 12345, &value, &value)) == MPI_ERR_KEYVAL);
}

int main(int argc, char **argv) {
    begin(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    buffers();
    types();
    results();
    handles();
    numbers();
    return end();
}
