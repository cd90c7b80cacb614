#include "schema/checksum.h"

#include <sodium.h>
#include <stdbool.h>

/* Public and fixed for all time: a store must be checkable anywhere. */
static const unsigned char public_key[crypto_shorthash_KEYBYTES] = {'h', 'o',
	'l', 'd', 'f', 'a', 's', 't', ' ', 'c', 'h', 'e', 'c', 'k', ' ', '1'};

static uint64_t read_little_endian(const unsigned char *bytes)
{
	uint64_t number = 0;
	for (int i = 7; i >= 0; i--)
		number = number << 8 | bytes[i];
	return number;
}

uint64_t checksum(struct slice bytes)
{
	unsigned char hash[crypto_shorthash_BYTES];
	crypto_shorthash(hash, (const unsigned char *)bytes.data, bytes.length,
		public_key);
	return read_little_endian(hash);
}

uint64_t checksum_record(struct slice key, struct slice value)
{
	/* Both parts hashed apart, then together with their presence: no
	 * shifting of bytes between key and value goes unseen. */
	uint64_t parts[4] = {key.data != NULL, value.data != NULL,
		key.data == NULL ? 0 : checksum(key),
		value.data == NULL ? 0 : checksum(value)};
	unsigned char bytes[sizeof parts];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(parts[i / 8] >> (i % 8 * 8));
	return checksum((struct slice){(const char *)bytes, sizeof bytes});
}
