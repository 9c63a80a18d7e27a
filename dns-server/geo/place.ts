/**
 * Where an address is, out of a record of either schema that is in use:
 *
 *     flat      { country_code: 'CN', state1: 'Henan', city: 'Zhengzhou', latitude: 34.7, longitude: 113.6 }
 *     GeoIP2    { country: { iso_code: 'CN' }, subdivisions: [{ iso_code: 'HA' }], city: { names: { en } },
 *                 location: { latitude, longitude } }
 */
import type { Location } from '../../contract/plans/routing-plan.ts';
import { subdivisionCode } from './subdivision-codes.ts';

export interface Place {
  /** ISO 3166-1, `CN`. */
  country?: string;
  /** ISO 3166-2, `CN-HA`. */
  subdivision?: string;
  city?: string;
  location?: Location;
}

/** Reads a record; nothing when it tells no country. */
export function placeOf(record: unknown): Place | undefined {
  if (!isObject(record)) return undefined;
  return 'country_code' in record ? flatPlace(record) : geoip2Place(record);
}

function flatPlace(record: Record<string, unknown>): Place | undefined {
  const country = text(record.country_code);
  if (country === undefined) return undefined;
  const state = text(record.state1);
  return place(country, state && subdivisionCode(country, state), text(record.city), locationOf(record));
}

function geoip2Place(record: Record<string, unknown>): Place | undefined {
  // Networks of satellites and anycast have no country, but one that they are registered in.
  const country =
    text(field(record.country, 'iso_code')) ?? text(field(record.registered_country, 'iso_code'));
  if (country === undefined) return undefined;
  const first: unknown = Array.isArray(record.subdivisions) ? record.subdivisions[0] : undefined;
  const code = text(field(first, 'iso_code'));
  const city = text(field(field(record.city, 'names'), 'en'));
  return place(country, code && `${country}-${code}`, city, locationOf(record.location));
}

function place(
  country: string,
  subdivision: string | undefined,
  city: string | undefined,
  location: Location | undefined,
): Place {
  return {
    country,
    ...(subdivision && { subdivision }),
    ...(city && { city }),
    ...(location && { location }),
  };
}

function locationOf(holder: unknown): Location | undefined {
  const [latitude, longitude] = [field(holder, 'latitude'), field(holder, 'longitude')];
  return typeof latitude === 'number' && typeof longitude === 'number' ? { latitude, longitude } : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function field(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
