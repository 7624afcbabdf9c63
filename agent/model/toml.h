/* SPDX-License-Identifier: MIT */
/*
 * TOML v1.0 text, edited in place: a value is replaced, a line is added, and every other
 *byte stays, comments and order included. Values are not interpreted beyond what finding
 *their end needs. Text that is not understood is refused with its line, never rewritten.
 *Pure.
 *
 * A path names a key by its table and key joined with TOML_SEP:
 *	"plugins" TOML_SEP "io.containerd.grpc.v1.cri" TOML_SEP "cni" TOML_SEP "bin_dir"
 * However the file spells it ([plugins."x".cni] bin_dir, [plugins."x"] cni.bin_dir) the
 *path is the same.
 */
#ifndef PROMENADE_MODEL_TOML_H
#define PROMENADE_MODEL_TOML_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* No key of a TOML text that is accepted here holds this byte. */
#define TOML_SEP "\037"

/* Checks the syntax as far as the other functions rely on it: headers, keys, ends of
 * values, no key twice. Errors: E_FORMAT with the line number; -ENOMEM. */
int toml_check(const struct buf *text, struct err *err) MUST_USE;

/* True when path is set; then the raw value ("\"overlayfs\"", "true", "[1, 2]") is in ret
 * when that is not NULL (caller buf_done()s). A text that toml_check() refuses has
 * nothing. */
bool toml_get(const struct buf *text, const char *path, struct buf *ret) MUST_USE;

/* As toml_get() for a basic or literal one-line string, decoded; false for other values.
 */
bool toml_get_string(
	const struct buf *text, const char *path, char *ret, size_t size) MUST_USE;

/* Appends the strings of the array at path to ret, decoded; none when it is no array.
 * Errors: -ENOMEM. */
int toml_get_strings(
	const struct buf *text, const char *path, struct strlist *ret) MUST_USE;

/* True when some key or table is at or beneath path. */
bool toml_has_table(const struct buf *text, const char *path) MUST_USE;

/* After success path has the raw value. Returns 1 when that changed the text, 0 when it
 * was so. A new key goes to the end of its table, a new table to the end of the text.
 * Errors: E_FORMAT with the line where the path is in an inline table or an array of
 * tables, or is itself a table; -ENOMEM. text is unchanged on failure. */
int toml_set(
	struct buf *text, const char *path, const char *value, struct err *err) MUST_USE;

/* toml_set() of a string. Returns and errors as toml_set(). */
int toml_set_string(
	struct buf *text, const char *path, const char *value, struct err *err) MUST_USE;

/* After success the array of strings at path has no such item; no array is fine. Its
 * other bytes stay. Errors: E_FORMAT with the line when it is no array; -ENOMEM. */
int toml_array_remove(
	struct buf *text, const char *path, const char *item, struct err *err) MUST_USE;

#endif
