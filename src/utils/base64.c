/*
 * base64.c - standard alphabet, padded, strict
 *
 * Strict means that one sequence of bytes has exactly one text: no white space,
 * no url-safe letters, padding only where it belongs, and the bits that padding
 * leaves over are zero. A signature can then be compared by its bytes.
 *
 * A decoder and an encoder step take 32 characters and 24 bytes at a time where
 * the processor has AVX2 (asked once per call, from a variable that is filled at
 * start); the one writes 32 bytes of the buffer of bytes and the other reads 28, so
 * they stop where that would leave it. What they leave, and everything on other
 * processors, goes through the tables, 4 characters at a time.
 *
 * Values in values[] carry MEMBER, so that what is not named there, zero, is
 * known to be outside the alphabet.
 */
#include "utils/base64.h"

#include <errno.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { MEMBER = 64, VALUE_MASK = 63 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* clang-format off */
static const uint8_t values[256] = {
    ['A'] = 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89,
    ['a'] = 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112,
            113, 114, 115,
    ['0'] = 116, 117, 118, 119, 120, 121, 122, 123, 124, 125,
    ['+'] = 126,
    ['/'] = 127,
};
/* clang-format on */

#if defined(__x86_64__)
enum { WIDE_TEXT = 32, WIDE_BYTES = 24, WIDE_ROOM = 32 };

#define WIDE __attribute__((target("avx2")))

/* The same 16 bytes in both halves: what AVX2 looks up it looks up in each half by itself. */
#define TABLE(...) _mm256_broadcastsi128_si256(_mm_setr_epi8(__VA_ARGS__))

/*
 * Source: W. Mula, D. Lemire, "Faster Base64 Encoding and Decoding using AVX2 Instructions" (2018).
 * Returns: how many characters were decoded; fewer than n may be left for the tables, and an odd
 * letter is.
 */
WIDE static size_t decode_wide(const char *text, size_t n, uint8_t *bytes, size_t max)
{
    /* A letter is good when the bits of its two halves do not meet. */
    const __m256i low_bits = TABLE(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
    const __m256i high_bits = TABLE(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
    /* What to add to a letter by its high half; '/' takes the place before that of '+'. */
    const __m256i to_value = TABLE(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m256i gather = TABLE(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m256i join = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7); /* the halves' 12 bytes each */
    const __m256i slash = _mm256_set1_epi8('/');                   /* 0x2f, also a mask that pshufb reads as 0x0f */
    size_t at = 0;

    for (; n - at >= WIDE_TEXT && max >= WIDE_ROOM; at += WIDE_TEXT, bytes += WIDE_BYTES, max -= WIDE_BYTES) {
        __m256i in = _mm256_loadu_si256((const __m256i *)(text + at));
        __m256i high = _mm256_and_si256(_mm256_srli_epi32(in, 4), slash);
        __m256i low = _mm256_and_si256(in, slash);

        if (!_mm256_testz_si256(_mm256_shuffle_epi8(low_bits, low), _mm256_shuffle_epi8(high_bits, high)))
            break;

        __m256i place = _mm256_add_epi8(_mm256_cmpeq_epi8(in, slash), high);
        __m256i six = _mm256_add_epi8(in, _mm256_shuffle_epi8(to_value, place));
        __m256i twelve = _mm256_maddubs_epi16(six, _mm256_set1_epi32(0x01400140));
        __m256i whole = _mm256_madd_epi16(twelve, _mm256_set1_epi32(0x00011000));
        _mm256_storeu_si256((__m256i *)bytes, _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(whole, gather), join));
    }
    return at;
}

/* Returns: how many bytes were encoded, a multiple of 3. */
WIDE static size_t encode_wide(const uint8_t *bytes, size_t n, char *text)
{
    const __m256i spread = TABLE(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    /* What to add by class: 0 a-z, 1-10 the digits, 11 '+', 12 '/', 13 A-Z. */
    const __m256i to_letter = TABLE('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                    '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    const size_t half = WIDE_BYTES / 2;
    size_t at = 0;

    for (; n - at >= half + 16; at += WIDE_BYTES, text += WIDE_TEXT) {
        __m256i both = _mm256_loadu2_m128i((const __m128i *)(bytes + at + half), (const __m128i *)(bytes + at));
        __m256i in = _mm256_shuffle_epi8(both, spread);
        __m256i odd = _mm256_mulhi_epu16(_mm256_and_si256(in, _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
        __m256i even = _mm256_mullo_epi16(_mm256_and_si256(in, _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
        __m256i six = _mm256_or_si256(odd, even);
        __m256i class = _mm256_subs_epu8(six, _mm256_set1_epi8(51));
        __m256i upper = _mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(26), six), _mm256_set1_epi8(13));

        class = _mm256_or_si256(class, upper);
        _mm256_storeu_si256((__m256i *)text, _mm256_add_epi8(six, _mm256_shuffle_epi8(to_letter, class)));
    }
    return at;
}
#endif

/* Writes only as many bytes as the padding says. */
static int decode_last(const uint8_t *in, size_t n_padding, uint8_t *bytes)
{
    uint32_t a = values[in[0]], b = values[in[1]];
    uint32_t c = n_padding == 2 ? MEMBER : values[in[2]];
    uint32_t d = n_padding ? MEMBER : values[in[3]];
    uint32_t word =
        (a & VALUE_MASK) << 18 | (b & VALUE_MASK) << 12 | (c & VALUE_MASK) << 6 | (d & VALUE_MASK);

    if (!(a & b & c & d & MEMBER) || (word & ((1u << 8 * n_padding) - 1)))
        return -EBADMSG;
    for (size_t i = 0; i < 3 - n_padding; i++)
        bytes[i] = (uint8_t)(word >> (16 - 8 * i));
    return 0;
}

ssize_t base64_decode(const char *text, size_t n, uint8_t *bytes, size_t max)
{
    size_t n_padding = 0, at = 0;

    if (n % 4)
        return -EBADMSG;
    if (!n)
        return 0;
    if (text[n - 1] == '=')
        n_padding = text[n - 2] == '=' ? 2 : 1;

    size_t n_bytes = n / 4 * 3 - n_padding;
    if (n_bytes > max)
        return -EMSGSIZE;

#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        at = decode_wide(text, n - 4, bytes, max);
#endif

    const uint8_t *in = (const uint8_t *)text + at;
    uint8_t *out = bytes + at / 4 * 3;

    for (; at < n - 4; at += 4, in += 4, out += 3) {
        uint32_t a = values[in[0]], b = values[in[1]], c = values[in[2]], d = values[in[3]];
        if (!(a & b & c & d & MEMBER))
            return -EBADMSG;
        out[0] = (uint8_t)(a << 2 | (b & VALUE_MASK) >> 4);
        out[1] = (uint8_t)(b << 4 | (c & VALUE_MASK) >> 2);
        out[2] = (uint8_t)(c << 6 | (d & VALUE_MASK));
    }

    int r = decode_last(in, n_padding, out);
    return r < 0 ? r : (ssize_t)n_bytes;
}

void base64_encode(const uint8_t *bytes, size_t n, char *text)
{
    size_t at = 0;

#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        at = encode_wide(bytes, n, text);
    text += at / 3 * 4;
#endif

    for (; n - at >= 3; at += 3, text += 4) {
        uint32_t word = (uint32_t)bytes[at] << 16 | (uint32_t)bytes[at + 1] << 8 | bytes[at + 2];
        text[0] = letters[word >> 18];
        text[1] = letters[word >> 12 & VALUE_MASK];
        text[2] = letters[word >> 6 & VALUE_MASK];
        text[3] = letters[word & VALUE_MASK];
    }
    if (at < n) {
        uint32_t word = (uint32_t)bytes[at] << 16 | (at + 1 < n ? (uint32_t)bytes[at + 1] << 8 : 0);
        text[0] = letters[word >> 18];
        text[1] = letters[word >> 12 & VALUE_MASK];
        text[2] = at + 1 < n ? letters[word >> 6 & VALUE_MASK] : '=';
        text[3] = '=';
    }
}

size_t base64_encode_url(const uint8_t *bytes, size_t n, char *text)
{
    size_t n_text = BASE64_SIZE(n);

    base64_encode(bytes, n, text);
    while (n_text && text[n_text - 1] == '=')
        n_text--;
    for (size_t i = 0; i < n_text; i++)
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    return n_text;
}
