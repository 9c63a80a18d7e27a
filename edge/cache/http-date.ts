/** Dates in HTTP fields, read strictly (RFC 9110 5.6.7) but for the case (RFC 9111 4.2), and GMT alone. Pure. */
import { textMemo } from '../../lib/text-memo.ts';

const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const LONG_DAY = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day';
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const MONTH = `(?<month>${MONTHS.join('|')})`;
const TIME = '(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)';

/** A sender makes this one alone. */
const FORM = new RegExp(`^${DAY}, (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`, 'i');
/** A recipient takes the two obsolete forms as well. */
const OBSOLETE_FORMS = [
  new RegExp(`^${LONG_DAY}, (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT$`, 'i'),
  new RegExp(`^${DAY} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`, 'i'),
];

/**
 * Milliseconds since the epoch; nothing for what is no date, such as `0`. `now` settles the century of a year with two
 * digits.
 */
export function httpDate(text: string | undefined, now: number): number | undefined {
  return text === undefined ? undefined : (ordinaryDate(text) ?? obsoleteDate(text, now));
}

const ordinaryDate = textMemo((text) => dateIn(FORM.exec(text)?.groups, 0));

function obsoleteDate(text: string, now: number): number | undefined {
  for (const form of OBSOLETE_FORMS) {
    const parts = form.exec(text)?.groups;
    if (parts !== undefined) return dateIn(parts, now);
  }
  return undefined;
}

function dateIn(parts: Record<string, string> | undefined, now: number): number | undefined {
  if (parts === undefined) return undefined;
  const { year = '', month = '', day, hour, minute, second } = parts;
  const whole = year.length === 2 ? fullYear(Number(year), now) : Number(year);
  const at = Date.UTC(
    whole,
    MONTHS.indexOf(month.toLowerCase()),
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  // The 31st of June is no date, though Date.UTC makes one of it.
  return new Date(at).getUTCDate() === Number(day) || second === '60' ? at : undefined;
}

/** More than 50 years ahead is meant to be in the past (RFC 9110 5.6.7). */
function fullYear(digits: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + digits;
  return year > thisYear + 50 ? year - 100 : year;
}
