C     A ring, reductions with a subroutine of the program's own, attributes, strings, sentinels: what Fortran 77's MPI is.
      program ring
      implicit none
      include 'mpif.h'
      integer ierr, rank, size, errors, total
      common /counts/ rank, size, errors
      errors = 0
      call mpi_init(ierr)
      call mpi_comm_rank(MPI_COMM_WORLD, rank, ierr)
      call mpi_comm_size(MPI_COMM_WORLD, size, ierr)
      call around
      call reduce
      call attributes
      call strings
      call requests
      call handlers
      call mpi_reduce(errors, total, 1, MPI_INTEGER, MPI_SUM, 0,
     $     MPI_COMM_WORLD, ierr)
      if (rank .eq. 0 .and. total .eq. 0) print '(a)', 'ok'
      call mpi_finalize(ierr)
      end

      subroutine check(holds, what)
      implicit none
      logical holds
      character*(*) what
      integer rank, size, errors
      common /counts/ rank, size, errors
      if (.not. holds) then
         errors = errors + 1
         print *, 'rank', rank, ': ', what
      end if
      end

      subroutine around
      implicit none
      include 'mpif.h'
      integer rank, size, errors
      common /counts/ rank, size, errors
      integer ierr, next, before, status(MPI_STATUS_SIZE), n
      double precision x(3), y(3)
      character*12 word, got
      next = mod(rank + 1, size)
      before = mod(rank + size - 1, size)
      x(1) = rank
      x(2) = 2 * rank
      x(3) = 3 * rank
      call mpi_sendrecv(x, 3, MPI_DOUBLE_PRECISION, next, 7, y, 3,
     $     MPI_DOUBLE_PRECISION, before, MPI_ANY_TAG, MPI_COMM_WORLD,
     $     status, ierr)
      call check(ierr .eq. MPI_SUCCESS, 'sendrecv')
      call check(y(3) .eq. 3 * before, 'what came')
      call check(status(MPI_SOURCE) .eq. before, 'source')
      call check(status(MPI_TAG) .eq. 7, 'tag')
      call mpi_get_count(status, MPI_DOUBLE_PRECISION, n, ierr)
      call check(n .eq. 3, 'count')
C     Buffers of type CHARACTER bring their lengths.
      write (word, '(a, i4)') 'from', rank
      call mpi_sendrecv(word, 12, MPI_CHARACTER, next, 8, got, 12,
     $     MPI_CHARACTER, before, 8, MPI_COMM_WORLD,
     $     MPI_STATUS_IGNORE, ierr)
      write (word, '(a, i4)') 'from', before
      call check(word .eq. got, 'characters: ' // got)
      end

      subroutine larger(in, inout, n, type)
      implicit none
      integer n, type, in(n), inout(n), i
      do i = 1, n
         inout(i) = max(in(i), inout(i))
      end do
      end

      subroutine reduce
      implicit none
      include 'mpif.h'
      integer rank, size, errors
      common /counts/ rank, size, errors
      external larger
      integer ierr, op, v(2)
      double precision before
      before = mpi_wtime()
      call mpi_op_create(larger, .true., op, ierr)
      v(1) = rank
      v(2) = -rank
      call mpi_allreduce(MPI_IN_PLACE, v, 2, MPI_INTEGER, op,
     $     MPI_COMM_WORLD, ierr)
      call check(v(1) .eq. size - 1 .and. v(2) .eq. 0, 'own operation')
      call mpi_op_free(op, ierr)
      call check(op .eq. MPI_OP_NULL, 'freed operation')
      call check(mpi_wtime() .ge. before, 'time')
      end

      subroutine copy(comm, key, extra, in, out, flag, ierr)
      implicit none
      include 'mpif.h'
      integer comm, key, extra, in, out, ierr
      logical flag
      out = in + extra
      flag = .true.
      ierr = MPI_SUCCESS
      end

      subroutine attributes
      implicit none
      include 'mpif.h'
      external copy
      integer ierr, key, twin, value
      logical flag
      call mpi_comm_create_keyval(copy, MPI_COMM_NULL_DELETE_FN, key,
     $     100, ierr)
      call mpi_comm_set_attr(MPI_COMM_WORLD, key, 11, ierr)
      call mpi_comm_dup(MPI_COMM_WORLD, twin, ierr)
      call mpi_comm_get_attr(twin, key, value, flag, ierr)
      call check(flag .and. value .eq. 111, 'copied attribute')
      call mpi_comm_free(twin, ierr)
      call mpi_comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, value, flag,
     $     ierr)
      call check(flag .and. value .ge. 32767, 'largest tag')
      end

      subroutine strings
      implicit none
      include 'mpif.h'
      character*(MPI_MAX_OBJECT_NAME) name
      character*8 short
      integer ierr, length, info
      logical flag
      call mpi_comm_set_name(MPI_COMM_WORLD, 'a longer name   ', ierr)
      call mpi_comm_get_name(MPI_COMM_WORLD, name, length, ierr)
      call check(length .eq. 13 .and. name .eq. 'a longer name', name)
      call mpi_info_create(info, ierr)
      call mpi_info_set(info, ' key ', ' value ', ierr)
      call mpi_info_get(info, 'key', 5, short, flag, ierr)
      call check(flag .and. short .eq. 'value', short)
      call mpi_info_get(info, 'none', 5, short, flag, ierr)
      call check(.not. flag, 'no such key')
      call mpi_info_free(info, ierr)
      end

      subroutine requests
      implicit none
      include 'mpif.h'
      integer rank, size, errors
      common /counts/ rank, size, errors
      integer ierr, r(2), which, x(2), i, n, list(2)
      integer statuses(MPI_STATUS_SIZE, 2)
      do i = 1, 2
         call mpi_irecv(x(i), 1, MPI_INTEGER, 0, i, MPI_COMM_SELF,
     $        r(i), ierr)
      end do
      call mpi_send(rank, 1, MPI_INTEGER, 0, 2, MPI_COMM_SELF, ierr)
      call mpi_waitany(2, r, which, MPI_STATUS_IGNORE, ierr)
      call check(which .eq. 2 .and. x(2) .eq. rank, 'index of one')
      call mpi_send(size, 1, MPI_INTEGER, 0, 1, MPI_COMM_SELF, ierr)
      call mpi_waitsome(2, r, n, list, statuses, ierr)
      call check(n .eq. 1 .and. list(1) .eq. 1, 'indices of some')
      call check(statuses(MPI_TAG, 1) .eq. 1, 'statuses of some')
      call mpi_waitany(2, r, which, MPI_STATUS_IGNORE, ierr)
      call check(which .eq. MPI_UNDEFINED, 'no index')
      end

      subroutine noticed(comm, code)
      implicit none
      integer comm, code, seen
      common /notice/ seen
      seen = code
      end

      subroutine handlers
      implicit none
      include 'mpif.h'
      external noticed
      integer seen, ierr, handler, class
      common /notice/ seen
      seen = MPI_SUCCESS
      call mpi_comm_create_errhandler(noticed, handler, ierr)
      call mpi_comm_set_errhandler(MPI_COMM_WORLD, handler, ierr)
      call mpi_send(seen, -1, MPI_INTEGER, 0, 0, MPI_COMM_WORLD, ierr)
      call mpi_error_class(seen, class, ierr)
      call check(class .eq. MPI_ERR_COUNT, 'own error handler')
      call mpi_comm_set_errhandler(MPI_COMM_WORLD,
     $     MPI_ERRORS_ARE_FATAL, ierr)
      end
