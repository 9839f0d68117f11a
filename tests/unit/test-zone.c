/* SPDX-License-Identifier: Apache-2.0 */

#include "base/zone.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/macro.h"

DEFINE_CLEANUP(Zone *, zone_free);

/* "2024-03-10 02:30:00" as seconds since 1970-01-01 00:00 of the same clock. */
static int64_t seconds(const char *text) {
        struct tm tm = { 0 };

        assert_int_equal(sscanf(text, "%d-%d-%d %d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                                &tm.tm_hour, &tm.tm_min, &tm.tm_sec),
                         6);
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        return timegm(&tm);
}

/* ---- civil dates ----------------------------------------------------------------------------- */

static void test_civil_dates(_unused_ void **state) {
        static const struct {
                int year, month, day;
                int32_t days;
                int weekday;
        } cases[] = {
                { 1970, 1, 1, 0, 3 },      { 1969, 12, 31, -1, 2 },
                { 2000, 2, 29, 11016, 1 }, { 2100, 3, 1, 47541, 0 }, /* no leap year */
                { 2026, 10, 1, 20727, 3 }, { 1, 1, 1, -719162, 0 },
                { 0, 2, 29, -719469, 1 },  { -4800, 3, 1, -2472632, 2 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int year, month, day;

                assert_int_equal(days_from_civil(cases[i].year, cases[i].month, cases[i].day),
                                 cases[i].days);
                assert_int_equal(weekday_from_days(cases[i].days), cases[i].weekday);
                civil_from_days(cases[i].days, &year, &month, &day);
                assert_int_equal(year, cases[i].year);
                assert_int_equal(month, cases[i].month);
                assert_int_equal(day, cases[i].day);
        }
}

/* Every day of 800 years against the C library. */
static void test_civil_days_agree(_unused_ void **state) {
        for (int32_t days = -146097; days < 146097; days++) {
                time_t t = (time_t)days * 86400;
                int year, month, day;
                struct tm tm;

                assert_non_null(gmtime_r(&t, &tm));
                civil_from_days(days, &year, &month, &day);
                assert_int_equal(year, tm.tm_year + 1900);
                assert_int_equal(month, tm.tm_mon + 1);
                assert_int_equal(day, tm.tm_mday);
                assert_int_equal(weekday_from_days(days), (tm.tm_wday + 6) % 7);
                assert_int_equal(days_from_civil(year, month, day), days);
        }
}

/* ---- real zones ------------------------------------------------------------------------------ */

static void test_zone_offsets(_unused_ void **state) {
        static const struct {
                const char *zone, *utc;
                int32_t offset;
        } cases[] = {
                { "UTC", "2026-01-01 00:00:00", 0 },
                { "Asia/Shanghai", "2026-07-01 00:00:00", 8 * 3600 },
                { "Asia/Shanghai", "1986-05-03 17:59:59", 8 * 3600 },
                { "Asia/Shanghai", "1986-05-03 18:00:00", 9 * 3600 },
                { "Asia/Shanghai", "1991-09-14 16:59:59", 9 * 3600 },
                { "Asia/Shanghai", "1991-09-14 17:00:00", 8 * 3600 },
                { "Asia/Shanghai", "1850-01-01 00:00:00", 29143 }, /* local mean time */
                { "America/New_York", "2024-03-10 06:59:59", -5 * 3600 },
                { "America/New_York", "2024-03-10 07:00:00", -4 * 3600 },
                { "America/New_York", "2100-03-14 06:59:59", -5 * 3600 }, /* by the footer's rule */
                { "America/New_York", "2100-03-14 07:00:00", -4 * 3600 },
                { "America/New_York", "2170-11-04 05:59:59", -4 * 3600 },
                { "America/New_York", "2170-11-04 06:00:00", -5 * 3600 },
                { "Australia/Lord_Howe", "2100-01-01 00:00:00", 11 * 3600 }, /* southern summer */
                { "Australia/Lord_Howe", "2100-07-01 00:00:00", 10 * 3600 + 1800 },
                { "Europe/Dublin", "2100-01-01 00:00:00", 0 }, /* its standard time is summer's */
                { "Europe/Dublin", "2100-07-01 00:00:00", 3600 },
                { "America/Nuuk", "2100-03-28 00:59:59", -2 * 3600 }, /* M3.5.0/-1 */
                { "America/Nuuk", "2100-03-28 01:00:00", -3600 },
                { "Pacific/Apia", "2011-12-30 09:59:59", -10 * 3600 },
                { "Pacific/Apia", "2011-12-30 10:00:00", 14 * 3600 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(cleanup_zone_free) Zone *zone = NULL;

                assert_int_equal(zone_load(cases[i].zone, &zone), 0);
                assert_string_equal(zone_name(zone), cases[i].zone);
                assert_int_equal(zone_offset(zone, seconds(cases[i].utc)), cases[i].offset);
        }
}

static void test_zone_instants(_unused_ void **state) {
        static const struct {
                const char *zone, *local, *first, *last;
        } cases[] = {
                { "UTC", "2026-01-01 12:00:00", "2026-01-01 12:00:00", "2026-01-01 12:00:00" },
                { "Asia/Shanghai", "2026-01-01 00:00:00", "2025-12-31 16:00:00",
                  "2025-12-31 16:00:00" },
                /* skipped: 02:00 to 03:00 */
                { "America/New_York", "2024-03-10 01:59:59", "2024-03-10 06:59:59",
                  "2024-03-10 06:59:59" },
                { "America/New_York", "2024-03-10 02:00:00", "2024-03-10 07:00:00",
                  "2024-03-10 07:00:00" },
                { "America/New_York", "2024-03-10 02:59:59", "2024-03-10 07:00:00",
                  "2024-03-10 07:00:00" },
                { "America/New_York", "2024-03-10 03:00:01", "2024-03-10 07:00:01",
                  "2024-03-10 07:00:01" },
                /* repeated: 01:00 to 02:00 */
                { "America/New_York", "2024-11-03 00:59:59", "2024-11-03 04:59:59",
                  "2024-11-03 04:59:59" },
                { "America/New_York", "2024-11-03 01:00:00", "2024-11-03 05:00:00",
                  "2024-11-03 06:00:00" },
                { "America/New_York", "2024-11-03 01:59:59", "2024-11-03 05:59:59",
                  "2024-11-03 06:59:59" },
                { "America/New_York", "2024-11-03 02:00:00", "2024-11-03 07:00:00",
                  "2024-11-03 07:00:00" },
                /* half an hour */
                { "Australia/Lord_Howe", "2024-04-07 01:45:00", "2024-04-06 14:45:00",
                  "2024-04-06 15:15:00" },
                { "Australia/Lord_Howe", "2024-10-06 02:15:00", "2024-10-05 15:30:00",
                  "2024-10-05 15:30:00" },
                /* a whole day that never was */
                { "Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30 10:00:00",
                  "2011-12-30 10:00:00" },
                { "Pacific/Apia", "2011-12-31 00:00:00", "2011-12-30 10:00:00",
                  "2011-12-30 10:00:00" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(cleanup_zone_free) Zone *zone = NULL;
                int64_t local = seconds(cases[i].local);

                assert_int_equal(zone_load(cases[i].zone, &zone), 0);
                assert_int_equal(zone_instant(zone, local, ZONE_FIRST), seconds(cases[i].first));
                assert_int_equal(zone_instant(zone, local, ZONE_LAST), seconds(cases[i].last));
        }
}

static void test_zone_local(_unused_ void **state) {
        _cleanup_(cleanup_zone_free) Zone *zone = NULL;
        int32_t days, second;

        assert_int_equal(zone_load("America/New_York", &zone), 0);
        zone_local(zone, 0, &days, &second);
        assert_int_equal(days, -1);
        assert_int_equal(second, 19 * 3600);
        zone_local(zone, 5 * 3600, &days, &second);
        assert_int_equal(days, 0);
        assert_int_equal(second, 0);
}

static void test_zone_refused_names(_unused_ void **state) {
        static const struct {
                const char *name;
                int r;
        } cases[] = {
                { "", -EINVAL },
                { "/usr/share/zoneinfo/Asia/Shanghai", -EINVAL },
                { "../zoneinfo/Asia/Shanghai", -EINVAL },
                { "Asia/../Asia/Shanghai", -EINVAL },
                { "Asia/Shanghai\n", -EINVAL },
                { "Asia/Shang hai", -EINVAL },
                { "Asia/Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", -EINVAL },
                { "Asia/Peking", -ENOENT },
                { "Asia/Shanghai/Pudong", -ENOENT },
                { "Asia", -ENOENT },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Zone *zone = NULL;

                assert_int_equal(zone_load(cases[i].name, &zone), cases[i].r);
                assert_null(zone);
        }
}

/* ---- made-up files --------------------------------------------------------------------------- */

#define IMAGE_MAX 512

typedef struct Image {
        uint8_t bytes[IMAGE_MAX];
        size_t size;
} Image;

static void put(Image *image, uint64_t n, size_t size) {
        while (size-- > 0)
                image->bytes[image->size++] = (uint8_t)(n >> size * 8);
}

static void put_text(Image *image, const char *text) {
        while (*text)
                image->bytes[image->size++] = (uint8_t)*text++;
}

static void put_header(Image *image, char version, uint32_t n_times, uint32_t n_types) {
        put_text(image, "TZif");
        put(image, (uint8_t)version, 1);
        image->size += 15; /* reserved */
        put(image, 0, 4);  /* UTC marks */
        put(image, 0, 4);  /* standard marks */
        put(image, 0, 4);  /* leap seconds */
        put(image, n_times, 4);
        put(image, n_types, 4);
        put(image, 4, 4); /* letters */
}

/* Where the second block of the image below begins, its times, its types and its end. */
#define BLOCK_AT  54
#define TIMES_AT  (BLOCK_AT + 44)
#define KINDS_AT  (TIMES_AT + 16)
#define TYPES_AT  (KINDS_AT + 2)
#define FOOTER_AT (TYPES_AT + 16)

/* A version 2 file: offset -1 h, from 1980 on +1 h, later by the footer. The abbreviations are
 * empty, so that they read as a valid offset for whoever takes them for a third type. */
static Image image_make(const char *footer) {
        Image image = { 0 };

        put_header(&image, '2', 0, 1);
        put(&image, 0, 6);
        put(&image, 0, 4);
        assert_int_equal(image.size, BLOCK_AT);
        put_header(&image, '2', 2, 2);
        put(&image, (uint64_t)seconds("1960-01-01 00:00:00"), 8);
        put(&image, (uint64_t)seconds("1980-01-01 00:00:00"), 8);
        put(&image, 0, 1);
        put(&image, 1, 1);
        put(&image, (uint32_t)-3600, 4);
        put(&image, 0, 2);
        put(&image, 3600, 4);
        put(&image, 0, 2);
        put(&image, 0, 4);
        assert_int_equal(image.size, FOOTER_AT);
        put_text(&image, footer);
        return image;
}

static char directory[] = "/tmp/test-zone-XXXXXX";
static char file[sizeof(directory) + sizeof("/Zone")];

static int image_load(const uint8_t *bytes, size_t size, Zone **ret) {
        FILE *f = fopen(file, "we");

        assert_non_null(f);
        assert_int_equal(fwrite(bytes, 1, size, f), size);
        assert_int_equal(fclose(f), 0);
        return zone_load("Zone", ret);
}

static int setup_directory(_unused_ void **state) {
        if (!mkdtemp(directory) || setenv("TZDIR", directory, 1) < 0)
                return -1;
        snprintf(file, sizeof(file), "%s/Zone", directory);
        return 0;
}

static int teardown_directory(_unused_ void **state) {
        unlink(file);
        return unsetenv("TZDIR") < 0 || rmdir(directory) < 0 ? -1 : 0;
}

static void test_zone_rules(_unused_ void **state) {
        static const struct {
                const char *footer, *utc;
                int32_t before, from;
        } cases[] = {
                { "\n\n", "1980-01-01 00:00:00", -3600, 3600 },
                { "\nAAA-1\n", "1980-01-01 00:00:00", -3600, 3600 },
                /* without an offset: an hour; without a time: 02:00 */
                { "\nAAA-1BBB,M4.1.0,M10.5.6\n", "2025-04-06 01:00:00", 3600, 7200 },
                { "\nAAA-1BBB,M4.1.0,M10.5.6\n", "2025-10-25 00:00:00", 7200, 3600 },
                /* day 60 of J is 1 March in every year, of n 1 March of common ones */
                { "\n<-01>1<+00>0:30,J60/0,J365/0\n", "2024-03-01 01:00:00", -3600, -1800 },
                { "\n<-01>1<+00>0:30,J59/0,J365/0\n", "2024-02-28 01:00:00", -3600, -1800 },
                { "\nAAA0BBB,60/0,300/0\n", "2024-03-01 00:00:00", 0, 3600 },
                { "\nAAA0BBB,60/0,300/0\n", "2025-03-02 00:00:00", 0, 3600 },
                /* beyond the day, both ways */
                { "\nAAA0BBB,M3.4.4/50,M10.4.4/50\n", "2024-03-30 02:00:00", 0, 3600 },
                { "\nAAA0BBB,M3.4.4/50,M10.4.4/-100\n", "2024-10-19 19:00:00", 3600, 0 },
                /* daylight saving all year, and the last day of the rules */
                { "\nXXX3EDT4,0/0,J365/23\n", "1980-01-01 03:00:00", 3600, -4 * 3600 },
                { "\nXXX3EDT4,0/0,J365/23\n", "2024-01-01 03:00:00", -4 * 3600, -4 * 3600 },
                { "\nAAA0BBB,0/0,J365/25\n", "2024-01-01 00:00:00", 3600, 3600 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Image image = image_make(cases[i].footer);
                _cleanup_(cleanup_zone_free) Zone *zone = NULL;

                assert_int_equal(image_load(image.bytes, image.size, &zone), 0);
                assert_int_equal(zone_offset(zone, seconds(cases[i].utc) - 1), cases[i].before);
                assert_int_equal(zone_offset(zone, seconds(cases[i].utc)), cases[i].from);
        }
}

static void test_zone_refused_rules(_unused_ void **state) {
        static const char *const footers[] = {
                "",
                "\n",
                "\nAAA-1",
                "\nAA-1\n",
                "\nAAA\n",
                "\n<AAA-1\n",
                "\nAAA-25\n",
                "\nAAA-1:60\n",
                "\nAAA-1BBB\n",
                "\nAAA-1BBB,M3.2.0\n",
                "\nAAA-1BBB,M0.2.0,M11.1.0\n",
                "\nAAA-1BBB,M13.2.0,M11.1.0\n",
                "\nAAA-1BBB,M3.0.0,M11.1.0\n",
                "\nAAA-1BBB,M3.6.0,M11.1.0\n",
                "\nAAA-1BBB,M3.2.7,M11.1.0\n",
                "\nAAA-1BBB,J0,J365\n",
                "\nAAA-1BBB,J1,J366\n",
                "\nAAA-1BBB,1,366\n",
                "\nAAA-1BBB,1/168,300\n",
                "\nAAA-1BBB,1,300/99999999999999999999\n",
                "\nAAA-1BBB,1,300,\n",
        };

        for (size_t i = 0; i < ELEMENTS(footers); i++) {
                Image image = image_make(footers[i]);
                Zone *zone = NULL;

                assert_int_equal(image_load(image.bytes, image.size, &zone), -EBADMSG);
                assert_null(zone);
        }
}

/* Nothing but the old 32-bit block: the last offset stays. */
static void test_zone_version_1(_unused_ void **state) {
        _cleanup_(cleanup_zone_free) Zone *zone = NULL;
        Image image = { 0 };

        put_header(&image, '\0', 1, 1);
        put(&image, (uint32_t)-100, 4);
        put(&image, 0, 1);
        put(&image, 1800, 4);
        put(&image, 0, 2);
        put(&image, 0, 4);
        assert_int_equal(image_load(image.bytes, image.size, &zone), 0);
        assert_int_equal(zone_offset(zone, seconds("2030-01-01 00:00:00")), 1800);
}

/* Every way to cut a file short, and every byte of it spoilt: refused or read, never worse. */
static void test_zone_damage(_unused_ void **state) {
        const Image good = image_make("\nAAA-1BBB,M4.1.0/2,M10.5.6/3\n");
        static const struct {
                const char *what;
                size_t at;
                uint8_t value;
        } cases[] = {
                { "magic", 0, 'X' },
                { "no types", BLOCK_AT + 39, 0 },
                { "times beyond the file", BLOCK_AT + 32, 0xff },
                { "time before 2^59 seconds", TIMES_AT, 0x80 },
                { "times that descend", TIMES_AT + 8, 0xff },
                { "type that is not there", KINDS_AT + 1, 2 },
                { "offset over 26 hours", TYPES_AT + 1, 0x01 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Image bad = good;
                Zone *zone = NULL;

                bad.bytes[cases[i].at] = cases[i].value;
                if (image_load(bad.bytes, bad.size, &zone) != -EBADMSG)
                        fail_msg("%s: not refused", cases[i].what);
        }
        for (size_t size = 0; size < good.size; size++) {
                Zone *zone = NULL;

                assert_int_equal(image_load(good.bytes, size, &zone), -EBADMSG);
        }
        for (size_t i = 0; i < good.size * 8; i++) {
                _cleanup_(cleanup_zone_free) Zone *zone = NULL;
                Image bad = good;

                bad.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
                if (image_load(bad.bytes, bad.size, &zone) == 0)
                        zone_instant(zone, seconds("2026-01-01 00:00:00"), ZONE_LAST);
        }
}

/* A zone that counts leap seconds tells no POSIX time. */
static void test_zone_leap_seconds(_unused_ void **state) {
        Image image = image_make("");
        Zone *zone = NULL;

        put(&image, 0, 8);
        put(&image, 0, 4);
        put_text(&image, "\nAAA-1\n");
        image.bytes[BLOCK_AT + 31] = 1;
        assert_int_equal(image_load(image.bytes, image.size, &zone), -EBADMSG);
        assert_null(zone);
}

static void test_zone_too_large(_unused_ void **state) {
        _cleanup_free_ uint8_t *bytes = calloc(1, 70000);
        Image image = image_make("\nAAA-1\n");
        Zone *zone = NULL;

        assert_non_null(bytes);
        memcpy(bytes, image.bytes, image.size);
        assert_int_equal(image_load(bytes, 70000, &zone), -EBADMSG);
        assert_int_equal(image_load(bytes, 60000, &zone), 0);
        zone_free(zone);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_civil_dates),  cmocka_unit_test(test_civil_days_agree),
                cmocka_unit_test(test_zone_offsets), cmocka_unit_test(test_zone_instants),
                cmocka_unit_test(test_zone_local),   cmocka_unit_test(test_zone_refused_names),
        };
        const struct CMUnitTest file_tests[] = {
                cmocka_unit_test(test_zone_rules),        cmocka_unit_test(test_zone_refused_rules),
                cmocka_unit_test(test_zone_version_1),    cmocka_unit_test(test_zone_damage),
                cmocka_unit_test(test_zone_leap_seconds), cmocka_unit_test(test_zone_too_large),
        };
        int failed = cmocka_run_group_tests_name("zone", tests, NULL, NULL);

        return failed + cmocka_run_group_tests_name("zone files", file_tests, setup_directory,
                                                    teardown_directory);
}
