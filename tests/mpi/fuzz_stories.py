"""Orders of calls that reach deep states, one text each: what the fuzzer varies, interrupts and spoils.

A line is a call: what it does not give is drawn. `$comm0` is a cell for a handle; `a|b` either; `?` stands before a
line that may be left out; `@deleter1 CALL` is what that function of the guest does when it is called.
"""

from __future__ import annotations

STORIES = (
    # A datatype is freed while a message uses it, and memory grows meanwhile.
    """
    MPI_Type_vector count=2 blocklength=1 stride=2 oldtype=MPI_INT newtype=$type0
    MPI_Type_commit datatype=$type0
    MPI_Irecv buf=buffer1 count=2 datatype=$type0 source=0 tag=7 comm=MPI_COMM_SELF request=$request0
    ? grow
    MPI_Isend buf=buffer2 count=2 datatype=$type0 dest=0 tag=7 comm=MPI_COMM_SELF request=$request1
    ? copy $type0
    MPI_Type_free datatype=$type0
    MPI_Wait request=$request0
    MPI_Wait request=$request1
    """,
    # Requests in arrays: complete, freed, twice the same.
    """
    MPI_Irecv buf=buffer1 count=4 datatype=MPI_INT source=0 tag=8 comm=MPI_COMM_SELF request=$request0
    MPI_Irecv buf=buffer2 count=4 datatype=MPI_INT source=0 tag=8 comm=MPI_COMM_SELF request=$request1
    MPI_Isend buf=buffer3 count=4 datatype=MPI_INT dest=0 tag=8 comm=MPI_COMM_SELF request=$request2
    MPI_Isend buf=buffer4 count=2|9 datatype=MPI_INT dest=0 tag=8 comm=MPI_COMM_SELF request=$request3
    ? MPI_Cancel request=$request1
    ? MPI_Request_free request=$request2
    ? copy $request0
    ? MPI_Waitany count=4 array_of_requests=$request0
    ? MPI_Testsome incount=4 array_of_requests=$request0
    MPI_Waitall count=4 array_of_requests=$request0
    """,
    # Persistent requests: started, freed while active, completed twice.
    """
    MPI_Recv_init buf=buffer1 count=4 datatype=MPI_INT source=0 tag=9 comm=MPI_COMM_SELF request=$request0
    MPI_Send_init buf=buffer2 count=4 datatype=MPI_INT dest=0 tag=9 comm=MPI_COMM_SELF request=$request1
    MPI_Startall count=2 array_of_requests=$request0
    ? MPI_Start request=$request0
    MPI_Waitall count=2 array_of_requests=$request0
    MPI_Startall count=2 array_of_requests=$request0
    ? MPI_Request_free request=$request0
    MPI_Wait request=$request1
    MPI_Request_free request=$request1
    MPI_Request_free request=$request0
    """,
    # A collective of a duplicate that is freed while it is pending, as are its operation and its datatype.
    """
    MPI_Comm_dup comm=MPI_COMM_WORLD newcomm=$comm0
    MPI_Op_create user_fn=operation1|operation3 op=$op0
    MPI_Type_contiguous count=2 oldtype=MPI_INT newtype=$type0
    MPI_Type_commit datatype=$type0
    MPI_Iallreduce sendbuf=buffer1 recvbuf=buffer2 count=3 datatype=$type0 op=$op0 comm=$comm0 request=$request0
    MPI_Op_free op=$op0
    MPI_Type_free datatype=$type0
    ? MPI_Comm_free comm=$comm0
    ? grow
    MPI_Wait request=$request0
    """,
    # Persistent collectives.
    """
    MPI_Comm_dup comm=MPI_COMM_WORLD newcomm=$comm0
    MPI_Allreduce_init sendbuf=buffer1 recvbuf=buffer2 count=2 datatype=MPI_INT op=MPI_SUM comm=$comm0 request=$request0
    MPI_Start request=$request0
    ? MPI_Start request=$request0
    ? MPI_Comm_free comm=$comm0
    MPI_Wait request=$request0
    MPI_Start request=$request0
    ? MPI_Request_free request=$request0
    MPI_Wait request=$request0
    MPI_Request_free request=$request0
    """,
    # An attribute whose functions free the object, the key, or set it again.
    """
    MPI_Comm_create_keyval comm_copy_attr_fn=copier1|copier3 comm_delete_attr_fn=deleter0|deleter3 comm_keyval=$commkey0
    MPI_Comm_dup comm=MPI_COMM_SELF newcomm=$comm0
    ? @deleter0 MPI_Comm_free comm=$comm0
    ? @deleter3 MPI_Comm_set_attr comm=$comm0 comm_keyval=$commkey0
    ? @copier1 MPI_Comm_free comm=$comm0
    ? @copier3 MPI_Comm_free_keyval comm_keyval=$commkey0
    ? @copier1 MPI_Comm_delete_attr comm=$comm0 comm_keyval=$commkey0
    MPI_Comm_set_attr comm=$comm0 comm_keyval=$commkey0
    ? MPI_Comm_set_attr comm=$comm0 comm_keyval=$commkey0
    ? MPI_Comm_free_keyval comm_keyval=$commkey0
    MPI_Comm_dup comm=$comm0 newcomm=$comm1
    ? MPI_Comm_delete_attr comm=$comm0 comm_keyval=$commkey0
    MPI_Comm_free comm=$comm0
    MPI_Comm_free comm=$comm1
    """,
    """
    MPI_Type_create_keyval type_copy_attr_fn=copier1|copier3 type_delete_attr_fn=deleter1|deleter2 type_keyval=$typekey0
    MPI_Type_contiguous count=2 oldtype=MPI_INT newtype=$type0
    ? MPI_Type_commit datatype=$type0
    ? @deleter1 MPI_Type_free datatype=$type0
    ? @deleter2 MPI_Type_set_attr datatype=$type0 type_keyval=$typekey0
    ? @copier1 MPI_Type_free datatype=$type0
    ? @copier3 MPI_Type_delete_attr datatype=$type0 type_keyval=$typekey0
    MPI_Type_set_attr datatype=$type0 type_keyval=$typekey0
    MPI_Type_dup oldtype=$type0 newtype=$type1
    ? MPI_Type_free_keyval type_keyval=$typekey0
    MPI_Type_free datatype=$type0
    MPI_Type_commit datatype=$type1
    MPI_Isend buf=buffer1 count=2 datatype=$type1 dest=0 comm=MPI_COMM_SELF tag=3 request=$request0
    MPI_Type_free datatype=$type1
    """,
    """
    MPI_Win_create_keyval win_copy_attr_fn=copier1 win_delete_attr_fn=deleter2|deleter3 win_keyval=$winkey0
    MPI_Win_create base=buffer1 size=4096 disp_unit=1 comm=MPI_COMM_SELF win=$win0
    ? @deleter2 MPI_Win_free win=$win0
    ? @deleter3 MPI_Win_free win=$win0
    ? @deleter2 MPI_Win_set_attr win=$win0 win_keyval=$winkey0
    MPI_Win_set_attr win=$win0 win_keyval=$winkey0
    ? MPI_Win_set_attr win=$win0 win_keyval=$winkey0
    ? MPI_Win_free_keyval win_keyval=$winkey0
    MPI_Win_free win=$win0
    """,
    # Handlers that free themselves, their communicator, or make another error.
    """
    MPI_Comm_create_errhandler comm_errhandler_fn=handler1|handler2 errhandler=$errhandler0
    MPI_Comm_dup comm=MPI_COMM_SELF newcomm=$comm0
    ? @handler1 MPI_Errhandler_free errhandler=$errhandler0
    ? @handler1 MPI_Comm_free comm=$comm0
    ? @handler2 MPI_Comm_set_errhandler comm=$comm0 errhandler=MPI_ERRORS_RETURN
    ? @handler2 MPI_Comm_rank comm=MPI_COMM_NULL
    MPI_Comm_set_errhandler comm=$comm0 errhandler=$errhandler0
    ? MPI_Errhandler_free errhandler=$errhandler0
    MPI_Send buf=buffer1 dest=77 comm=$comm0
    MPI_Recv source=0 tag=-77 comm=$comm0
    MPI_Comm_call_errhandler comm=$comm0 errorcode=5
    MPI_Bcast comm=$comm0 root=9
    MPI_Comm_free comm=$comm0
    """,
    # A receive that is too short, under a handler of the guest.
    """
    MPI_Comm_create_errhandler comm_errhandler_fn=handler2 errhandler=$errhandler0
    MPI_Comm_dup comm=MPI_COMM_SELF newcomm=$comm0
    MPI_Comm_set_errhandler comm=$comm0 errhandler=$errhandler0
    @handler2 MPI_Comm_free comm=$comm0
    MPI_Isend buf=buffer1 count=8 datatype=MPI_INT dest=0 tag=1 comm=$comm0 request=$request0
    ? MPI_Recv buf=buffer2 count=2 datatype=MPI_INT source=0 tag=1 comm=$comm0
    MPI_Irecv buf=buffer2 count=2 datatype=MPI_INT source=0 tag=1 comm=$comm0 request=$request1
    MPI_Waitall count=2 array_of_requests=$request0
    """,
    # Windows in each way of synchronizing.
    """
    MPI_Win_create base=buffer1 size=4096 disp_unit=1|4 info=MPI_INFO_NULL comm=MPI_COMM_SELF win=$win0
    MPI_Win_fence win=$win0 assert=0
    MPI_Put origin_addr=buffer2 origin_count=4 origin_datatype=MPI_INT target_rank=0 target_count=4 \
target_datatype=MPI_INT win=$win0
    MPI_Accumulate origin_addr=buffer2 origin_datatype=MPI_INT target_rank=0 target_datatype=MPI_INT op=MPI_SUM \
win=$win0
    MPI_Get origin_addr=buffer3 origin_datatype=MPI_INT target_rank=0 target_datatype=MPI_INT win=$win0
    ? grow
    ? MPI_Win_free win=$win0
    MPI_Win_fence win=$win0 assert=0
    MPI_Win_free win=$win0
    """,
    """
    MPI_Win_create base=buffer1 size=4096 disp_unit=1 info=MPI_INFO_NULL comm=MPI_COMM_WORLD win=$win0
    MPI_Win_lock lock_type=MPI_LOCK_SHARED rank=0 assert=0 win=$win0
    MPI_Rput origin_addr=buffer2 origin_count=4 origin_datatype=MPI_INT target_rank=0 target_disp=0 target_count=4 \
target_datatype=MPI_INT win=$win0 request=$request0
    MPI_Rget_accumulate origin_addr=buffer2 origin_count=1 origin_datatype=MPI_INT result_addr=buffer3 result_count=1 \
result_datatype=MPI_INT target_rank=0 target_disp=0 target_count=1 target_datatype=MPI_INT op=MPI_SUM|MPI_NO_OP \
win=$win0 \
request=$request1
    MPI_Fetch_and_op origin_addr=buffer2 result_addr=buffer3 datatype=MPI_INT target_rank=0 op=MPI_SUM win=$win0
    ? MPI_Win_flush rank=0 win=$win0
    ? MPI_Request_free request=$request0
    MPI_Waitall count=2 array_of_requests=$request0
    MPI_Win_unlock rank=0 win=$win0
    ? copy $win0
    MPI_Win_free win=$win0
    """,
    # Operations and types of all sorts at a target.
    """
    MPI_Win_allocate size=4096 disp_unit=1|4 info=MPI_INFO_NULL comm=MPI_COMM_WORLD baseptr=buffer5 win=$win0
    MPI_Type_contiguous count=2 oldtype=MPI_INT|MPI_2INT|MPI_DOUBLE_INT|MPI_C_BOOL newtype=$type0
    MPI_Type_commit datatype=$type0
    MPI_Win_lock_all assert=0 win=$win0
    MPI_Accumulate origin_addr=buffer2 origin_count=1 origin_datatype=$type0 target_rank=0 target_count=1 \
target_datatype=$type0 op=MPI_MINLOC|MPI_LAND|MPI_BOR|MPI_PROD|MPI_REPLACE win=$win0
    MPI_Fetch_and_op origin_addr=buffer2 result_addr=buffer3 target_rank=0 win=$win0
    MPI_Get_accumulate origin_addr=buffer2 origin_count=1 result_addr=buffer3 result_count=1 target_rank=0 \
target_count=1 win=$win0
    MPI_Compare_and_swap origin_addr=buffer2 compare_addr=buffer3 result_addr=buffer4 target_rank=0 win=$win0
    ? MPI_Type_free datatype=$type0
    MPI_Win_flush_all win=$win0
    MPI_Win_unlock_all win=$win0
    MPI_Win_free win=$win0
    """,
    """
    MPI_Win_create base=buffer1 size=256 disp_unit=1 info=MPI_INFO_NULL comm=MPI_COMM_SELF win=$win0
    MPI_Comm_group comm=MPI_COMM_SELF group=$group0
    MPI_Win_post group=$group0 assert=0 win=$win0
    MPI_Win_start group=$group0 assert=0 win=$win0
    ? MPI_Group_free group=$group0
    MPI_Put origin_addr=buffer2 origin_count=4 origin_datatype=MPI_INT target_rank=0 target_disp=0 target_count=4 \
target_datatype=MPI_INT win=$win0
    MPI_Win_complete win=$win0
    MPI_Win_wait win=$win0
    MPI_Win_free win=$win0
    """,
    # Files: views with datatypes that are freed, requests that outlive what they were made of.
    """
    MPI_File_open comm=MPI_COMM_SELF amode=34|35 info=MPI_INFO_NULL fh=$file0
    MPI_Type_vector count=2 blocklength=1 stride=2 oldtype=MPI_INT newtype=$type0
    MPI_Type_commit datatype=$type0
    MPI_File_set_view fh=$file0 disp=0|8 etype=MPI_INT filetype=$type0 info=MPI_INFO_NULL
    MPI_Type_free datatype=$type0
    MPI_File_iwrite fh=$file0 buf=buffer1 count=4 datatype=MPI_INT request=$request0
    MPI_File_iread_at fh=$file0 offset=0 buf=buffer2 count=4 datatype=MPI_INT request=$request1
    ? grow
    ? MPI_File_close fh=$file0
    MPI_Waitall count=2 array_of_requests=$request0
    MPI_File_write_all_begin fh=$file0 buf=buffer1 count=4 datatype=MPI_INT
    ? MPI_File_get_view fh=$file0 etype=$type1 filetype=$type2
    ? MPI_File_write_all_end fh=$file0 buf=buffer1
    ? MPI_Type_free datatype=$type2
    ? MPI_Type_free datatype=$type1
    MPI_File_close fh=$file0
    """,
    # A file whose view has a representation of its own, which conversion functions and buffers stand behind.
    """
    MPI_File_open comm=MPI_COMM_SELF amode=34|35 info=MPI_INFO_NULL fh=$file0
    ? MPI_Type_vector count=2 blocklength=1 stride=2 oldtype=MPI_INT|MPI_DOUBLE newtype=$type0
    ? MPI_Type_create_struct count=2 newtype=$type0
    ? MPI_Type_create_resized oldtype=$type0 lb=0|-4|8 extent=4|16|32 newtype=$type0
    MPI_Type_commit datatype=$type0
    MPI_File_set_view fh=$file0 disp=0|8 etype=MPI_BYTE|MPI_INT filetype=MPI_BYTE|MPI_INT info=MPI_INFO_NULL
    MPI_File_write_at fh=$file0 offset=0 buf=buffer1 count=1|4 datatype=$type0|MPI_INT
    MPI_File_read_at fh=$file0 offset=0|2 buf=buffer2 count=4 datatype=$type0
    ? MPI_File_write fh=$file0 buf=buffer1 datatype=MPI_DOUBLE|MPI_WCHAR|MPI_2INT|MPI_LONG_DOUBLE
    ? MPI_File_iread fh=$file0 buf=buffer3 datatype=$type0 request=$request0
    ? MPI_File_iwrite_at fh=$file0 buf=buffer3 datatype=MPI_INT request=$request1
    ? MPI_Request_free request=$request1
    ? MPI_File_close fh=$file0
    MPI_File_read_all fh=$file0 buf=buffer2 count=4 datatype=$type0
    ? MPI_Type_free datatype=$type0
    MPI_Wait request=$request0
    MPI_File_close fh=$file0
    """,
    # Info that libraries act upon.
    """
    MPI_Info_create info=$info0
    MPI_Info_set info=$info0
    MPI_Info_set info=$info0
    MPI_Info_set info=$info0
    ? MPI_File_open comm=MPI_COMM_SELF amode=34|35 info=$info0 fh=$file0
    ? MPI_Comm_dup_with_info comm=MPI_COMM_SELF info=$info0 newcomm=$comm0
    ? MPI_Win_create base=buffer1 size=4096 disp_unit=1 info=$info0 comm=MPI_COMM_SELF win=$win0
    ? MPI_Comm_split_type comm=MPI_COMM_WORLD info=$info0 newcomm=$comm1
    ? MPI_Info_free info=$info0
    MPI_File_write_all fh=$file0 buf=buffer1 count=16 datatype=MPI_INT
    MPI_File_read_at_all fh=$file0 offset=0 buf=buffer2 count=16 datatype=MPI_INT
    MPI_File_set_info fh=$file0 info=$info0
    MPI_Comm_set_info comm=$comm0 info=$info0
    MPI_Win_set_info win=$win0 info=$info0
    MPI_File_get_info fh=$file0 info_used=$info1
    MPI_Info_get_nthkey info=$info1
    MPI_File_close fh=$file0
    """,
    # Buffered sends and what is attached.
    """
    MPI_Buffer_attach buffer=buffer9 size=16384
    MPI_Bsend buf=buffer1 count=4 datatype=MPI_INT dest=0 tag=2 comm=MPI_COMM_SELF
    MPI_Recv buf=buffer2 count=4 datatype=MPI_INT source=0 tag=2 comm=MPI_COMM_SELF
    MPI_Buffer_detach
    """,
    # Matched probes, whose message is received twice.
    """
    MPI_Isend buf=buffer1 count=4 datatype=MPI_INT dest=0 tag=4 comm=MPI_COMM_SELF request=$request0
    MPI_Improbe source=0 tag=4 comm=MPI_COMM_SELF message=$message0
    copy $message0
    MPI_Imrecv buf=buffer2 count=4|2 datatype=MPI_INT message=$message0 request=$request1
    ? MPI_Mrecv buf=buffer2 count=4 datatype=MPI_INT message=$message0
    MPI_Waitall count=2 array_of_requests=$request0
    """,
    # Partitioned messages.
    """
    MPI_Psend_init buf=buffer1 partitions=2 count=4 datatype=MPI_INT dest=0 tag=5 comm=MPI_COMM_SELF request=$request0
    MPI_Precv_init buf=buffer2 partitions=2 count=4 datatype=MPI_INT source=0 tag=5 comm=MPI_COMM_SELF request=$request1
    MPI_Startall count=2 array_of_requests=$request0
    MPI_Pready partition=0 request=$request0
    ? MPI_Pready partition=0 request=$request0
    MPI_Pready partition=1 request=$request0
    MPI_Parrived partition=0 request=$request1
    MPI_Waitall count=2 array_of_requests=$request0
    MPI_Pready partition=0 request=$request0
    ? MPI_Request_free request=$request0
    MPI_Request_free request=$request1
    """,
    # Topologies and their collectives.
    """
    MPI_Cart_create comm_old=MPI_COMM_SELF ndims=1|2 comm_cart=$comm0
    MPI_Ineighbor_alltoall sendbuf=buffer1 sendcount=2 sendtype=MPI_INT recvbuf=buffer2 recvcount=2 recvtype=MPI_INT \
comm=$comm0 request=$request0
    MPI_Ineighbor_alltoallw sendbuf=buffer1 recvbuf=buffer2 comm=$comm0 request=$request1
    ? MPI_Cart_sub comm=$comm0 newcomm=$comm1
    MPI_Comm_free comm=$comm0
    MPI_Waitall count=2 array_of_requests=$request0
    MPI_Neighbor_allgather comm=$comm1
    """,
    """
    MPI_Dist_graph_create_adjacent comm_old=MPI_COMM_SELF indegree=2 outdegree=2 comm_dist_graph=$comm0
    MPI_Neighbor_alltoall sendbuf=buffer1 sendcount=1 sendtype=MPI_INT recvbuf=buffer2 recvcount=1 \
recvtype=MPI_INT comm=$comm0
    MPI_Dist_graph_neighbors comm=$comm0 maxindegree=2 maxoutdegree=2
    MPI_Comm_dup comm=$comm0 newcomm=$comm1
    MPI_Comm_free comm=$comm0
    MPI_Ineighbor_allgatherv sendbuf=buffer1 sendcount=1 sendtype=MPI_INT recvbuf=buffer2 recvtype=MPI_INT comm=$comm1 \
request=$request0
    MPI_Wait request=$request0
    """,
    # What a datatype was made of; its parts are freed in any order.
    """
    MPI_Type_contiguous count=2 oldtype=MPI_INT newtype=$type0
    MPI_Type_create_resized oldtype=$type0 lb=0|-4 extent=16|4|-8|0 newtype=$type1
    MPI_Type_free datatype=$type0
    MPI_Type_create_struct count=1|2 newtype=$type2
    MPI_Type_get_contents datatype=$type1 max_integers=9 max_addresses=9 max_datatypes=9 array_of_datatypes=$type3
    MPI_Type_free datatype=$type1
    MPI_Type_vector count=3 blocklength=2 stride=-2 oldtype=$type3 newtype=$type4
    MPI_Type_free datatype=$type3
    MPI_Type_commit datatype=$type4
    MPI_Pack inbuf=buffer1 incount=2 datatype=$type4 outbuf=buffer3 outsize=4096 comm=MPI_COMM_SELF
    MPI_Sendrecv sendbuf=buffer1 sendcount=1 sendtype=$type4 dest=0 sendtag=6 recvbuf=buffer2 recvcount=6 \
recvtype=MPI_INT \
source=0 recvtag=6 comm=MPI_COMM_SELF
    MPI_Type_free datatype=$type4
    """,
    # Elements are counted in types of types, and leave in external32.
    """
    MPI_Type_create_struct count=2|3 newtype=$type0
    ? MPI_Type_contiguous count=0|2 oldtype=$type0 newtype=$type1
    ? MPI_Type_create_darray size=1 rank=0 ndims=1 oldtype=$type0|MPI_DOUBLE_INT newtype=$type1
    ? MPI_Type_create_subarray ndims=1|2 oldtype=$type0|MPI_FLOAT_INT newtype=$type1
    ? MPI_Type_create_f90_real p=6|15 r=30 newtype=$type1
    ? copy $type1
    MPI_Type_vector count=2|0 blocklength=1|0 stride=2|-3 oldtype=$type1 newtype=$type2
    MPI_Type_commit datatype=$type1
    MPI_Type_commit datatype=$type2
    MPI_Status_set_elements datatype=$type1 count=7
    MPI_Get_elements datatype=$type1|$type2
    MPI_Status_set_elements datatype=$type2 count=5
    MPI_Get_elements_x datatype=$type2|$type0
    MPI_Pack_external_size incount=1|2 datatype=$type1|$type2
    MPI_Pack_external inbuf=buffer1 incount=2 datatype=$type2 outbuf=buffer3 outsize=4096
    MPI_Unpack_external inbuf=buffer3 insize=4096 outbuf=buffer4 outcount=2 datatype=$type2
    """,
    # Communicators that requests make.
    """
    MPI_Comm_idup comm=MPI_COMM_WORLD newcomm=$comm0 request=$request0
    ? MPI_Comm_rank comm=$comm0
    ? MPI_Comm_free comm=$comm0
    ? MPI_Request_free request=$request0
    MPI_Wait request=$request0
    MPI_Ibarrier comm=$comm0 request=$request1
    MPI_Comm_free comm=$comm0
    MPI_Wait request=$request1
    """,
    # Generalized requests.
    """
    MPI_Grequest_start query_fn=query1|query3 free_fn=release1|release3 cancel_fn=cancel1 request=$request0
    ? @query1 MPI_Request_free request=$request0
    ? @release1 MPI_Wait request=$request0
    ? @cancel1 MPI_Grequest_complete request=$request0
    ? MPI_Cancel request=$request0
    ? MPI_Request_free request=$request0
    MPI_Grequest_complete request=$request0
    ? MPI_Grequest_complete request=$request0
    MPI_Wait request=$request0
    """,
    # Sessions.
    """
    MPI_Session_init info=MPI_INFO_NULL errhandler=MPI_ERRORS_RETURN session=$session0
    MPI_Session_get_num_psets session=$session0 info=MPI_INFO_NULL
    MPI_Group_from_session_pset session=$session0 newgroup=$group0
    MPI_Comm_create_from_group group=$group0 info=MPI_INFO_NULL errhandler=MPI_ERRORS_RETURN newcomm=$comm0
    MPI_Allreduce sendbuf=buffer1 recvbuf=buffer2 count=2 datatype=MPI_INT op=MPI_SUM comm=$comm0
    ? MPI_Comm_free comm=$comm0
    MPI_Group_free group=$group0
    """,
    # Two ranks: an intercommunicator, and its collectives.
    """
    two: ranks
    MPI_Intercomm_create local_comm=MPI_COMM_SELF local_leader=0 peer_comm=MPI_COMM_WORLD remote_leader=peer tag=11 \
newintercomm=$comm0
    MPI_Ibarrier comm=$comm0 request=$request0
    MPI_Allreduce sendbuf=buffer1 recvbuf=buffer2 count=2 datatype=MPI_INT op=MPI_SUM comm=$comm0
    MPI_Alltoallw sendbuf=buffer1 recvbuf=buffer2 comm=$comm0
    MPI_Intercomm_merge intercomm=$comm0 newintracomm=$comm1
    MPI_Comm_free comm=$comm0
    MPI_Wait request=$request0
    MPI_Comm_free comm=$comm1
    """,
    """
    two: ranks
    MPI_Comm_dup comm=MPI_COMM_WORLD newcomm=$comm0
    MPI_Irecv buf=buffer1 count=1000 datatype=MPI_INT source=peer tag=7 comm=$comm0 request=$request0
    MPI_Isend buf=buffer2 count=1000 datatype=MPI_INT dest=peer tag=7 comm=$comm0 request=$request1
    ? grow
    MPI_Comm_free comm=$comm0
    MPI_Barrier comm=MPI_COMM_WORLD
    MPI_Testall count=2 array_of_requests=$request0
    MPI_Waitall count=2 array_of_requests=$request0
    """,
    # Tools: variables and their sessions.
    """
    MPI_T_init_thread required=0
    MPI_T_cvar_handle_alloc cvar_index=0|1|5|40 obj_handle=0 handle=$code0
    MPI_T_cvar_read handle=$code0
    ? MPI_T_cvar_write handle=$code0
    ? copy $code0
    MPI_T_pvar_session_create pe_session=$code1
    MPI_T_pvar_handle_alloc pe_session=$code1 pvar_index=0|1|3|9 obj_handle=0 handle=$code2
    MPI_T_pvar_start pe_session=$code1 handle=$code2
    MPI_T_pvar_read pe_session=$code1 handle=$code2
    MPI_T_pvar_reset pe_session=$code1 handle=$code2
    MPI_T_pvar_readreset pe_session=$code1 handle=$code2
    ? MPI_T_pvar_stop pe_session=$code1 handle=$code2
    ? MPI_T_finalize
    ? MPI_T_pvar_handle_free pe_session=$code1 handle=$code2
    MPI_T_pvar_session_free pe_session=$code1
    MPI_T_cvar_handle_free handle=$code0
    ? MPI_T_finalize
    """,
)
