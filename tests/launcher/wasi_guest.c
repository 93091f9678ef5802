/* A program that uses files as programs do, and prints what it saw. Run natively and as a guest, in an empty folder, it
 * prints the same. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *name_of(int error) {
    switch (error) {
    case 0: return "ok";
    case EACCES: return "EACCES";
    case EBADF: return "EBADF";
    case EEXIST: return "EEXIST";
    case EINVAL: return "EINVAL";
    case EISDIR: return "EISDIR";
    case ELOOP: return "ELOOP";
    case ENAMETOOLONG: return "ENAMETOOLONG";
    case ENOENT: return "ENOENT";
    case ENOTDIR: return "ENOTDIR";
    case ENOTEMPTY: return "ENOTEMPTY";
    case EPERM: return "EPERM";
    case ESPIPE: return "ESPIPE";
    default: return "another error";
    }
}

static void show(const char *what, long long result) {
    printf("%s: %lld %s\n", what, result, result < 0 ? name_of(errno) : "ok");
}

static void files(void) {
    char text[64] = {0};
    struct stat status;
    int file = open("file", O_RDWR | O_CREAT | O_EXCL, 0644);
    show("create", file >= 0);
    show("create again", open("file", O_RDWR | O_CREAT | O_EXCL, 0644));
    show("write", write(file, "0123456789", 10));
    show("seek", lseek(file, 3, SEEK_SET));
    show("read", read(file, text, 4));
    printf("%s\n", text);
    show("seek before the start", lseek(file, -1, SEEK_SET));
    show("pwrite", pwrite(file, "AB", 2, 5));
    show("pread", pread(file, text, 10, 0));
    printf("%.10s\n", text);
    show("place after", lseek(file, 0, SEEK_CUR));
    show("grow", ftruncate(file, 5000));
    show("end", lseek(file, 0, SEEK_END));
    show("shrink", ftruncate(file, 4));
    show("fsync", fsync(file));
    show("fdatasync", fdatasync(file));
    fstat(file, &status);
    printf("size %lld regular %d links %d\n", (long long)status.st_size, S_ISREG(status.st_mode), (int)status.st_nlink);
    const struct timespec times[2] = {{1000, 5}, {2000, 7}};
    show("times", futimens(file, times));
    stat("file", &status);
    printf("times %lld %ld\n", (long long)status.st_mtim.tv_sec, (long)status.st_mtim.tv_nsec);
    const struct timespec later[2] = {{0, UTIME_OMIT}, {3000, 0}};
    show("utimensat", utimensat(AT_FDCWD, "file", later, 0));
    stat("file", &status);
    printf("times %lld %lld\n", (long long)status.st_atim.tv_sec, (long long)status.st_mtim.tv_sec);
    show("close", close(file));
    show("close again", close(file));
    file = open("file", O_WRONLY | O_APPEND);
    show("flags", (fcntl(file, F_GETFL) & O_APPEND) != 0);
    show("append", write(file, "end", 3));
    show("read what is for writing", read(file, text, 1));
    close(file);
    file = open("file", O_RDONLY);
    show("write what is for reading", write(file, text, 1));
    show("all", read(file, text, sizeof text));
    printf("%.7s\n", text);
    close(file);
    file = open("file", O_RDWR | O_TRUNC);
    fstat(file, &status);
    printf("size %lld\n", (long long)status.st_size);
    close(file);
    FILE *stream = fopen("stream", "w+");
    for (int i = 0; i < 10000; i++) {
        fprintf(stream, "%d\n", i);
    }
    show("ftell", ftell(stream));
    fseek(stream, 12345, SEEK_SET);
    show("fscanf", fscanf(stream, "%d", &file));
    printf("%d\n", file);
    fclose(stream);
}

static void folders(void) {
    struct stat status;
    char name[64];
    show("mkdir", mkdir("folder", 0755));
    show("mkdir again", mkdir("folder", 0755));
    show("mkdir with slash", mkdir("folder/inner/", 0755));
    show("mkdir nowhere", mkdir("nowhere/inner", 0755));
    show("mkdir below a file", mkdir("file/inner", 0755));
    show("rmdir full", rmdir("folder"));
    show("unlink folder", unlink("nothing"));
    show("open folder to write", open("folder", O_WRONLY));
    show("open file as folder", open("file", O_RDONLY | O_DIRECTORY));
    show("stat dot", stat("folder/inner/..", &status));
    printf("folder %d\n", S_ISDIR(status.st_mode));
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "folder/entry-with-a-rather-long-name-%03d", i);
        int file = open(name, O_CREAT | O_WRONLY, 0600);
        close(file);
    }
    for (int pass = 0; pass < 2; pass++) {
        DIR *folder = opendir("folder");
        int plain = 0, inner = 0, dots = 0, other = 0;
        long sum = 0;
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
            bool dot = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
            dots += dot;
            plain += !dot && entry->d_type == DT_REG;
            inner += !dot && entry->d_type == DT_DIR;
            other += !dot && entry->d_type != DT_REG && entry->d_type != DT_DIR;
            sum += entry->d_type == DT_REG ? atol(entry->d_name + strlen(entry->d_name) - 3) : 0;
        }
        printf("entries %d %d %d %d sum %ld\n", plain, inner, dots, other, sum);
        rewinddir(folder);
        show("first after rewind", readdir(folder) != NULL);
        closedir(folder);
    }
    show("rename", rename("folder/entry-with-a-rather-long-name-007", "moved"));
    show("renamed away", stat("folder/entry-with-a-rather-long-name-007", &status));
    show("rename folder", rename("folder/inner", "inner"));
    show("rename over a full folder", rename("inner", "folder"));
    show("rmdir", rmdir("inner"));
    show("rmdir file", rmdir("moved"));
    show("unlink", unlink("moved"));
    show("unlink again", unlink("moved"));
}

static void links(void) {
    struct stat status;
    char target[64] = {0};
    show("symlink", symlink("stream", "link"));
    show("readlink", readlink("link", target, sizeof target));
    printf("%s\n", target);
    show("short readlink", readlink("link", target, 3));
    show("lstat", lstat("link", &status));
    printf("link %d size %lld\n", S_ISLNK(status.st_mode), (long long)status.st_size);
    show("stat", stat("link", &status));
    printf("link %d regular %d\n", S_ISLNK(status.st_mode), S_ISREG(status.st_mode));
    show("open the link itself", open("link", O_RDONLY | O_NOFOLLOW));
    int file = open("link", O_RDONLY);
    show("open through", read(file, target, 4));
    close(file);
    symlink("folder", "to-folder");
    show("through a folder's link", stat("to-folder/entry-with-a-rather-long-name-001", &status));
    symlink("../stream", "folder/up");
    show("up and down", stat("folder/up", &status));
    symlink("loop-b", "loop-a");
    symlink("loop-a", "loop-b");
    show("loop", open("loop-a", O_RDONLY));
    symlink("nothing", "dangling");
    show("dangling", open("dangling", O_RDONLY));
    show("dangling, exclusive", open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0600));
    file = open("dangling", O_WRONLY | O_CREAT, 0600);
    show("made through a link", file >= 0);
    close(file);
    show("made", stat("nothing", &status));
    show("link", link("stream", "second-name"));
    stat("stream", &status);
    printf("links %d\n", (int)status.st_nlink);
    show("access", access("second-name", R_OK));
    char many[3000];
    memset(many, 'x', sizeof many);
    many[sizeof many - 1] = '\0';
    show("a long name", open(many, O_RDONLY));
    show("dots", stat("./folder/.././folder//../stream", &status));
}

static void clocks(void) {
    struct timespec before, after, pause = {0, 20000000};
    clock_gettime(CLOCK_MONOTONIC, &before);
    show("sleep", nanosleep(&pause, NULL));
    clock_gettime(CLOCK_MONOTONIC, &after);
    long long passed = (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec;
    printf("slept %d\n", passed >= 20000000 && passed < 2000000000);
    unsigned char bytes[32] = {0};
    show("random", getentropy(bytes, sizeof bytes));
    int set = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        set += bytes[i] != 0;
    }
    printf("random %d\n", set > 16);
    struct pollfd wait = {.fd = 0, .events = POLLIN};
    show("poll", poll(&wait, 1, 5000));
    char text[16] = {0};
    show("stdin", read(0, text, sizeof text));
    printf("%s\n", text);
    show("seek a pipe", lseek(0, 0, SEEK_CUR));
    printf("terminal %d\n", isatty(0));
}

int main(int count, char **arguments) {
    printf("%d %s %s\n", count, arguments[1], getenv("GIVEN"));
    files();
    folders();
    links();
    clocks();
    fflush(stdout);
    return 17;
}
