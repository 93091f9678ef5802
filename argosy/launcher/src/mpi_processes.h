/* What MPI's beginning and end mean for the processes that a job may start. */
#ifndef ARGOSY_MPI_PROCESSES_H
#define ARGOSY_MPI_PROCESSES_H

void processes_begin(void); /* collective over MPI_COMM_WORLD, just after MPI_Init; nothing without --spawn */
void processes_end(void);   /* collective too, just before MPI_Finalize */

#endif
