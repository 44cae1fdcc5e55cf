/*
 * base64.c - standard alphabet, padded, strict
 *
 * Strict means that one sequence of bytes has exactly one text: no white space,
 * no url-safe letters, padding only where it belongs, and the bits that padding
 * leaves over are zero. A signature can then be compared by its bytes.
 *
 * A decoder and an encoder step take 16 characters and 12 bytes at a time where
 * the processor has SSSE3 (asked once per call, from a variable that is filled at
 * start); both read or write 16 bytes of the buffer of bytes, so they stop where
 * that would leave it. What they leave, and everything on other processors, goes
 * through the tables, 4 characters at a time.
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
enum { WIDE_TEXT = 16, WIDE_BYTES = 12 };

/*
 * Source: W. Mula, D. Lemire, "Faster Base64 Encoding and Decoding using AVX2 Instructions" (2018).
 * Returns: how many characters were decoded; fewer than n may be left for the tables, and an odd
 * letter is.
 */
__attribute__((target("ssse3"))) static size_t decode_wide(const char *text, size_t n,
                                                           uint8_t *bytes, size_t max)
{
    /* A letter is good when the bits of its two halves do not meet. */
    const __m128i low_bits = _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                           0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
    const __m128i high_bits = _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10,
                                            0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
    /* What to add to a letter by its high half; '/' takes the place before that of '+'. */
    const __m128i to_value =
        _mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i gather = _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m128i slash = _mm_set1_epi8('/'); /* 0x2f, also a mask that pshufb reads as 0x0f */
    size_t at = 0;

    for (; n - at >= WIDE_TEXT && max >= 16;
         at += WIDE_TEXT, bytes += WIDE_BYTES, max -= WIDE_BYTES) {
        __m128i in = _mm_loadu_si128((const __m128i *)(text + at));
        __m128i high = _mm_and_si128(_mm_srli_epi32(in, 4), slash);
        __m128i low = _mm_and_si128(in, slash);
        __m128i bad =
            _mm_and_si128(_mm_shuffle_epi8(low_bits, low), _mm_shuffle_epi8(high_bits, high));

        if (_mm_movemask_epi8(_mm_cmpgt_epi8(bad, _mm_setzero_si128())))
            break;

        __m128i place = _mm_add_epi8(_mm_cmpeq_epi8(in, slash), high);
        __m128i six = _mm_add_epi8(in, _mm_shuffle_epi8(to_value, place));
        __m128i twelve = _mm_maddubs_epi16(six, _mm_set1_epi32(0x01400140));
        __m128i whole = _mm_madd_epi16(twelve, _mm_set1_epi32(0x00011000));
        _mm_storeu_si128((__m128i *)bytes, _mm_shuffle_epi8(whole, gather));
    }
    return at;
}

/* Returns: how many bytes were encoded, a multiple of 3. */
__attribute__((target("ssse3"))) static size_t encode_wide(const uint8_t *bytes, size_t n,
                                                           char *text)
{
    const __m128i spread = _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    /* What to add by class: 0 a-z, 1-10 the digits, 11 '+', 12 '/', 13 A-Z. */
    const __m128i to_letter =
        _mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                      '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    size_t at = 0;

    for (; n - at >= 16; at += WIDE_BYTES, text += WIDE_TEXT) {
        __m128i in = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(bytes + at)), spread);
        __m128i odd = _mm_mulhi_epu16(_mm_and_si128(in, _mm_set1_epi32(0x0fc0fc00)),
                                      _mm_set1_epi32(0x04000040));
        __m128i even = _mm_mullo_epi16(_mm_and_si128(in, _mm_set1_epi32(0x003f03f0)),
                                       _mm_set1_epi32(0x01000010));
        __m128i six = _mm_or_si128(odd, even);
        __m128i class = _mm_subs_epu8(six, _mm_set1_epi8(51));
        __m128i upper = _mm_and_si128(_mm_cmpgt_epi8(_mm_set1_epi8(26), six), _mm_set1_epi8(13));

        class = _mm_or_si128(class, upper);
        _mm_storeu_si128((__m128i *)text, _mm_add_epi8(six, _mm_shuffle_epi8(to_letter, class)));
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
    if (__builtin_cpu_supports("ssse3"))
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
    if (__builtin_cpu_supports("ssse3"))
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
