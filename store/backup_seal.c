#include "store/backup_seal.h"

#include "schema/bytes.h"
#include "store/file_codes.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* generation, made_us, bytes and room for more, then the hash over the database
 * and all of the seal before it. */
#define MAGIC "holdfast backup"
#define MAGIC_BYTES sizeof MAGIC
#define HASH_BYTES 32
#define HEAD_BYTES (BACKUP_SEAL_BYTES - HASH_BYTES)
#define PIECE_BYTES ((size_t)1 << 20)

static_assert(MAGIC_BYTES + GENERATION_NAME_MAX + 2 * 8 == HEAD_BYTES,
	"a seal has one size");

static void write_head(
	const struct backup_seal *seal, unsigned char head[HEAD_BYTES])
{
	struct byte_writer writer = {head, head + HEAD_BYTES};
	put_bytes(&writer, (struct slice){MAGIC, MAGIC_BYTES});
	put_bytes(
		&writer, (struct slice){seal->generation, GENERATION_NAME_MAX});
	put_u64(&writer, (uint64_t)seal->made_us);
	put_u64(&writer, (uint64_t)seal->bytes);
}

static bool read_head(
	const unsigned char head[HEAD_BYTES], struct backup_seal *out)
{
	struct byte_reader reader =
		byte_reader_of((struct slice){(const char *)head, HEAD_BYTES});
	struct slice magic = get_bytes(&reader, MAGIC_BYTES);
	struct slice generation = get_bytes(&reader, GENERATION_NAME_MAX);
	memcpy(out->generation, generation.data, GENERATION_NAME_MAX);
	out->made_us = (int64_t)get_u64(&reader);
	out->bytes = (int64_t)get_u64(&reader);
	return memcmp(magic.data, MAGIC, MAGIC_BYTES) == 0 &&
	       memchr(out->generation, '\0', GENERATION_NAME_MAX) != NULL;
}

/* Of the first `bytes` bytes of the file, then of the seal's head. A file that
 * ends before is hashed as far as it goes. */
static int hash_file(int fd, int64_t bytes,
	const unsigned char head[HEAD_BYTES], unsigned char hash[HASH_BYTES])
{
	crypto_generichash_state state;
	unsigned char *piece = malloc(PIECE_BYTES);
	if (piece == NULL)
		return ENOMEM;
	crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
	int error = 0;
	for (int64_t at = 0; at < bytes;) {
		size_t want = bytes - at < (int64_t)PIECE_BYTES
				      ? (size_t)(bytes - at)
				      : PIECE_BYTES;
		ssize_t got = pread(fd, piece, want, at);
		if (got < 0 && errno == EINTR)
			continue;
		error = got < 0 ? errno : 0;
		if (got <= 0)
			break;
		crypto_generichash_update(&state, piece, (size_t)got);
		at += got;
	}
	free(piece);
	crypto_generichash_update(&state, head, HEAD_BYTES);
	crypto_generichash_final(&state, hash, HASH_BYTES);
	return error;
}

int backup_seal_put(int fd, struct backup_seal *seal, struct fault *fault)
{
	unsigned char bytes[BACKUP_SEAL_BYTES];
	struct stat status;
	int error = fstat(fd, &status) == 0 ? 0 : errno;
	if (error == 0) {
		seal->bytes = (int64_t)status.st_size;
		write_head(seal, bytes);
		error = hash_file(fd, seal->bytes, bytes, bytes + HEAD_BYTES);
	}
	errno = 0;
	if (error == 0 && pwrite(fd, bytes, sizeof bytes, seal->bytes) !=
				  (ssize_t)sizeof bytes)
		error = errno == 0 ? ENOSPC : errno;
	return error == 0 ? 0
			  : file_fault(fault, error, "can't seal", "a backup");
}

/* An open file's seal: head and hash. 0: it has none. Errors: file_fault(). */
static int read_seal(int fd, const char *path,
	unsigned char bytes[BACKUP_SEAL_BYTES], struct backup_seal *out,
	struct fault *fault)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return file_fault(fault, errno, "can't read backup", path);
	if (status.st_size < BACKUP_SEAL_BYTES)
		return 0;
	int64_t at = (int64_t)status.st_size - BACKUP_SEAL_BYTES;
	ssize_t got = pread(fd, bytes, BACKUP_SEAL_BYTES, at);
	if (got < 0)
		return file_fault(fault, errno, "can't read backup", path);
	return got == BACKUP_SEAL_BYTES && read_head(bytes, out) &&
	       out->bytes == at;
}

static int open_file(const char *path, struct fault *fault)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd
		       : file_fault(fault, errno, "can't open backup", path);
}

int backup_seal_read(
	const char *path, struct backup_seal *out, struct fault *fault)
{
	unsigned char bytes[BACKUP_SEAL_BYTES];
	*out = (struct backup_seal){0};
	int fd = open_file(path, fault);
	if (fd < 0)
		return fd;
	int rc = read_seal(fd, path, bytes, out, fault);
	close(fd);
	return rc;
}

static int compare(
	int fd, const char *path, struct backup_seal *out, struct fault *fault)
{
	unsigned char bytes[BACKUP_SEAL_BYTES], hash[HASH_BYTES];
	int rc = read_seal(fd, path, bytes, out, fault);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return fault_set(fault, FAULT_CORRUPT,
			"%s is no backup, or not a whole one: its seal is not "
			"there",
			path);
	int error = hash_file(fd, out->bytes, bytes, hash);
	if (error != 0)
		return file_fault(fault, error, "can't read backup", path);
	if (memcmp(hash, bytes + HEAD_BYTES, HASH_BYTES) != 0)
		return fault_set(fault, FAULT_CORRUPT,
			"%s is not as it was when it was made: its bytes don't "
			"fit its seal; take another backup",
			path);
	return 0;
}

int backup_seal_check(
	const char *path, struct backup_seal *out, struct fault *fault)
{
	*out = (struct backup_seal){0};
	int fd = open_file(path, fault);
	if (fd < 0)
		return fd;
	int rc = compare(fd, path, out, fault);
	close(fd);
	return rc;
}
