#include "schema/rfc3339.h"

#include "schema/digits.h"

#include <assert.h>

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY (86400 * US_PER_SECOND)

/* Days since 1970-01-01 of a proleptic Gregorian date.
 * Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year =
		(153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 -
			     year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t day_of_era = days - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 -
			day_of_era / 146096) /
		365;
	int64_t day_of_year =
		day_of_era -
		(365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month_index = (5 * day_of_year + 2) / 153;
	*day = (int)(day_of_year - (153 * month_index + 2) / 5 + 1);
	*month = (int)(month_index < 10 ? month_index + 3 : month_index - 9);
	*year = year_of_era + era * 400 + (*month <= 2);
}

/* A cursor over the text; `ok` turns false at the first thing unexpected. */
struct scan {
	const char *at, *end;
	bool ok;
};

static int digits(struct scan *scan, int count)
{
	int number = 0;
	for (int i = 0; i < count; i++) {
		if (scan->at == scan->end || *scan->at < '0' ||
			*scan->at > '9') {
			scan->ok = false;
			return 0;
		}
		number = number * 10 + (*scan->at++ - '0');
	}
	return number;
}

static bool accept(struct scan *scan, const char *any_of)
{
	if (scan->at == scan->end || *scan->at == '\0' ||
		strchr(any_of, *scan->at) == NULL)
		return false;
	scan->at++;
	return true;
}

static void expect(struct scan *scan, const char *any_of)
{
	if (!accept(scan, any_of))
		scan->ok = false;
}

static int within(struct scan *scan, int number, int lowest, int highest)
{
	if (number < lowest || number > highest)
		scan->ok = false;
	return number;
}

static int month_days(int year, int month)
{
	static const int days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	assert(month >= 1 && month <= 12);
	return days[month - 1] + (month == 2 && leap);
}

static int64_t scan_date(struct scan *scan)
{
	int year = digits(scan, 4);
	expect(scan, "-");
	int month = within(scan, digits(scan, 2), 1, 12);
	expect(scan, "-");
	int day = digits(scan, 2);
	if (!scan->ok)
		return 0;
	within(scan, day, 1, month_days(year, month));
	return days_from_civil(year, month, day) * US_PER_DAY;
}

static int64_t scan_fraction(struct scan *scan)
{
	int64_t fraction = 0;
	int64_t unit = US_PER_SECOND / 10;
	do {
		fraction += digits(scan, 1) * unit;
		unit /= 10;
	} while (scan->ok && scan->at != scan->end && *scan->at >= '0' &&
		 *scan->at <= '9');
	return fraction;
}

static int64_t scan_time(struct scan *scan)
{
	int64_t seconds = within(scan, digits(scan, 2), 0, 23) * 3600;
	expect(scan, ":");
	seconds += within(scan, digits(scan, 2), 0, 59) * 60;
	expect(scan, ":");
	seconds += within(scan, digits(scan, 2), 0, 60);
	int64_t fraction = accept(scan, ".") ? scan_fraction(scan) : 0;
	return seconds * US_PER_SECOND + fraction;
}

/* How far local time is ahead of UTC. */
static int64_t scan_offset(struct scan *scan)
{
	if (accept(scan, "Zz"))
		return 0;
	int64_t sign = accept(scan, "-") ? -1 : 1;
	if (sign == 1)
		expect(scan, "+");
	int64_t seconds = within(scan, digits(scan, 2), 0, 23) * 3600;
	expect(scan, ":");
	seconds += within(scan, digits(scan, 2), 0, 59) * 60;
	return sign * seconds * US_PER_SECOND;
}

bool rfc3339_parse(struct slice text, int64_t *out_us)
{
	if (text.data == NULL)
		return false;
	struct scan scan = {text.data, text.data + text.length, true};
	int64_t us = scan_date(&scan);
	expect(&scan, "Tt ");
	us += scan_time(&scan);
	us -= scan_offset(&scan);
	if (!scan.ok || scan.at != scan.end)
		return false;
	*out_us = us;
	return true;
}

/* "-MM" and the like: a separator and two digits. */
static char *put_two(char *at, char separator, unsigned number)
{
	*at++ = separator;
	return digits_put_padded(at, number, 2);
}

static char *put_fraction(char *at, uint64_t fraction)
{
	if (fraction == 0)
		return at;
	*at++ = '.';
	if (fraction % 1000 == 0)
		return digits_put_padded(at, fraction / 1000, 3);
	return digits_put_padded(at, fraction, 6);
}

char *rfc3339_print(int64_t us, char out[RFC3339_SIZE])
{
	int64_t days = us / US_PER_DAY;
	int64_t rest = us % US_PER_DAY;
	if (rest < 0) {
		rest += US_PER_DAY;
		days--;
	}
	int64_t year;
	int month, day;
	civil_from_days(days, &year, &month, &day);
	if (year < 0 || year > 9999) {
		*digits_put_signed(out, us) = '\0';
		return out;
	}
	unsigned second = (unsigned)(rest / US_PER_SECOND);
	char *at = digits_put_padded(out, (uint64_t)year, 4);
	at = put_two(at, '-', (unsigned)month);
	at = put_two(at, '-', (unsigned)day);
	at = put_two(at, 'T', second / 3600);
	at = put_two(at, ':', second / 60 % 60);
	at = put_two(at, ':', second % 60);
	at = put_fraction(at, (uint64_t)(rest % US_PER_SECOND));
	*at++ = 'Z';
	*at = '\0';
	return out;
}
