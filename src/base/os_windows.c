/* os.h over Windows: a directory is its full path, a descriptor wraps a handle that others may
 * read, write and delete meanwhile, as POSIX programs expect. */
#include "base/os.h"
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <windows.h>

#define PATH_ROOM 4096
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

struct hm_dir {
    wchar_t path[PATH_ROOM];
};

static int last_error(void)
{
    switch (GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
        return -ENOENT;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
        return -EEXIST;
    case ERROR_ACCESS_DENIED:
        return -EACCES;
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
        return -EBUSY;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
        return -ENOSPC;
    case ERROR_NOT_ENOUGH_MEMORY:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static HANDLE handle_of(int fd)
{
    return (HANDLE)_get_osfhandle(fd);
}

/* dir\name in UTF-16; the names of this project are plain ASCII, the directory may be anything */
static int join(const struct hm_dir *d, const char *name, wchar_t out[PATH_ROOM])
{
    size_t n = wcslen(d->path);

    memcpy(out, d->path, n * sizeof *out);
    out[n++] = L'\\';
    if (!MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, out + n,
                             (int)(PATH_ROOM - n)))
        return -ENAMETOOLONG;
    return 0;
}

/* --- directories ----------------------------------------------------------------------------- */

int hm_dir_open(const char *path, bool create, struct hm_dir **ret_d)
{
    wchar_t given[PATH_ROOM];
    struct hm_dir *d = malloc(sizeof *d);

    if (!d)
        return -ENOMEM;
    int r = 0;
    if (!MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, given, PATH_ROOM))
        r = -EINVAL;
    else if (create && !CreateDirectoryW(given, NULL) && GetLastError() != ERROR_ALREADY_EXISTS)
        r = last_error();
    else if (!(GetFileAttributesW(given) & FILE_ATTRIBUTE_DIRECTORY))
        r = -ENOTDIR;
    else if (GetFileAttributesW(given) == INVALID_FILE_ATTRIBUTES)
        r = last_error();
    DWORD n = r ? 0 : GetFullPathNameW(given, PATH_ROOM, d->path, NULL);
    if (r == 0 && (n == 0 || n >= PATH_ROOM))
        r = -ENAMETOOLONG;
    if (r < 0) {
        free(d);
        return r;
    }
    *ret_d = d;
    return 0;
}

int hm_dir_from_fd(int fd, struct hm_dir **ret_d)
{
    return -ENOSYS;
}

void hm_dir_close(struct hm_dir *d)
{
    free(d);
}

/* NTFS journals names itself and takes the flush where it can; other file systems refuse it. */
int hm_dir_sync(const struct hm_dir *d)
{
    HANDLE h = CreateFileW(d->path, GENERIC_WRITE, SHARE_ALL, NULL, OPEN_EXISTING,
                           FILE_FLAG_BACKUP_SEMANTICS, NULL);

    if (h == INVALID_HANDLE_VALUE)
        return GetLastError() == ERROR_ACCESS_DENIED ? 0 : last_error();
    FlushFileBuffers(h);
    CloseHandle(h);
    return 0;
}

int hm_dir_list(const struct hm_dir *d, int (*each)(void *ctx, const char *name), void *ctx)
{
    wchar_t all[PATH_ROOM];
    WIN32_FIND_DATAW f;
    char name[3 * MAX_PATH + 1];
    int r = join(d, "*", all);

    if (r < 0)
        return r;
    HANDLE h = FindFirstFileW(all, &f);
    if (h == INVALID_HANDLE_VALUE)
        return last_error();
    do {
        if (WideCharToMultiByte(CP_UTF8, 0, f.cFileName, -1, name, sizeof name, NULL, NULL))
            r = each(ctx, name);
    } while (r == 0 && FindNextFileW(h, &f));
    FindClose(h);
    return r;
}

int hm_dir_remove(const struct hm_dir *d, const char *name)
{
    wchar_t path[PATH_ROOM];
    int r = join(d, name, path);

    if (r < 0)
        return r;
    return DeleteFileW(path) ? 0 : last_error();
}

int hm_dir_rename(const struct hm_dir *d, const char *from, const char *to)
{
    wchar_t a[PATH_ROOM], b[PATH_ROOM];
    int r = join(d, from, a);

    if (r == 0)
        r = join(d, to, b);
    if (r < 0)
        return r;
    return MoveFileExW(a, b, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) ? 0 : last_error();
}

/* --- files ----------------------------------------------------------------------------------- */

static int wrap_handle(HANDLE h)
{
    int fd = _open_osfhandle((intptr_t)h, _O_BINARY | _O_NOINHERIT);

    if (fd >= 0)
        return fd;
    CloseHandle(h);
    return -EMFILE;
}

static int open_handle(const struct hm_dir *d, const char *name, DWORD access, DWORD share,
                       DWORD disposition)
{
    wchar_t path[PATH_ROOM];
    int r = join(d, name, path);

    if (r < 0)
        return r;
    HANDLE h = CreateFileW(path, access, share, NULL, disposition, FILE_ATTRIBUTE_NORMAL, NULL);
    if (h == INVALID_HANDLE_VALUE)
        return last_error();
    return wrap_handle(h);
}

int hm_dir_file(const struct hm_dir *d, const char *name, enum hm_open how)
{
    static const struct {
        DWORD access, disposition;
    } rows[] = {
        [HM_OPEN_READ] = {GENERIC_READ, OPEN_EXISTING},
        [HM_OPEN_WRITE] = {GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING},
        [HM_OPEN_NEW] = {GENERIC_READ | GENERIC_WRITE, CREATE_NEW},
        [HM_OPEN_REPLACE] = {GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS},
    };

    return open_handle(d, name, rows[how].access, SHARE_ALL, rows[how].disposition);
}

int hm_dir_lock(const struct hm_dir *d, const char *name)
{
    return open_handle(d, name, GENERIC_READ | GENERIC_WRITE, 0, OPEN_ALWAYS);
}

static OVERLAPPED place(uint64_t offset)
{
    OVERLAPPED o = {0};

    o.Offset = (DWORD)offset;
    o.OffsetHigh = (DWORD)(offset >> 32);
    return o;
}

ssize_t hm_file_read_at(int fd, void *p, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        OVERLAPPED o = place(offset + done);
        DWORD n = 0, want = len - done > INT32_MAX ? INT32_MAX : (DWORD)(len - done);
        if (!ReadFile(handle_of(fd), (uint8_t *)p + done, want, &n, &o) &&
            GetLastError() != ERROR_HANDLE_EOF)
            return last_error();
        if (n == 0)
            break;
        done += n;
    }
    return (ssize_t)done;
}

int hm_file_write_at(int fd, struct hm_slice s, uint64_t offset)
{
    size_t done = 0;

    while (done < s.len) {
        OVERLAPPED o = place(offset + done);
        DWORD n = 0, want = s.len - done > INT32_MAX ? INT32_MAX : (DWORD)(s.len - done);
        if (!WriteFile(handle_of(fd), s.p + done, want, &n, &o))
            return last_error();
        done += n;
    }
    return 0;
}

int hm_file_truncate(int fd, uint64_t size)
{
    FILE_END_OF_FILE_INFO end;

    end.EndOfFile.QuadPart = (LONGLONG)size;
    if (!SetFileInformationByHandle(handle_of(fd), FileEndOfFileInfo, &end, sizeof end))
        return last_error();
    return 0;
}

int hm_file_sync(int fd)
{
    return FlushFileBuffers(handle_of(fd)) ? 0 : last_error();
}

int hm_file_dup(int fd)
{
    HANDLE me = GetCurrentProcess(), h = NULL;

    if (!DuplicateHandle(me, handle_of(fd), me, &h, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return last_error();
    return wrap_handle(h);
}

int64_t hm_file_size(int fd)
{
    LARGE_INTEGER n;

    return GetFileSizeEx(handle_of(fd), &n) ? n.QuadPart : last_error();
}
