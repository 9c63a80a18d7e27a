/**
 * ISO 3166-2 codes of the subdivisions that flat databases name in words, with the spellings that they use. Regions
 * are written in codes, so a name that is missing here sends its clients to their country's region.
 */

const CN: Record<string, string> = {
  AH: 'Anhui',
  BJ: 'Beijing',
  CQ: 'Chongqing',
  FJ: 'Fujian',
  GD: 'Guangdong',
  GS: 'Gansu',
  GX: 'Guangxi, Guangxi Zhuang, Guangxi Zhuangzu',
  GZ: 'Guizhou',
  HA: 'Henan',
  HB: 'Hubei',
  HE: 'Hebei',
  HI: 'Hainan',
  HK: 'Hong Kong',
  HL: 'Heilongjiang',
  HN: 'Hunan',
  JL: 'Jilin',
  JS: 'Jiangsu',
  JX: 'Jiangxi',
  LN: 'Liaoning',
  MO: 'Macao, Macau',
  NM: 'Inner Mongolia, Nei Mongol, Neimenggu',
  NX: 'Ningxia, Ningxia Hui, Ningxia Huizu',
  QH: 'Qinghai',
  SC: 'Sichuan',
  SD: 'Shandong',
  SH: 'Shanghai',
  SN: 'Shaanxi',
  SX: 'Shanxi',
  TJ: 'Tianjin',
  TW: 'Taiwan',
  XJ: 'Xinjiang, Xinjiang Uyghur, Xinjiang Uygur',
  XZ: 'Tibet, Xizang',
  YN: 'Yunnan',
  ZJ: 'Zhejiang',
};

const US: Record<string, string> = {
  AK: 'Alaska',
  AL: 'Alabama',
  AR: 'Arkansas',
  AZ: 'Arizona',
  CA: 'California',
  CO: 'Colorado',
  CT: 'Connecticut',
  DC: 'District of Columbia, Washington D.C.',
  DE: 'Delaware',
  FL: 'Florida',
  GA: 'Georgia',
  HI: 'Hawaii',
  IA: 'Iowa',
  ID: 'Idaho',
  IL: 'Illinois',
  IN: 'Indiana',
  KS: 'Kansas',
  KY: 'Kentucky',
  LA: 'Louisiana',
  MA: 'Massachusetts',
  MD: 'Maryland',
  ME: 'Maine',
  MI: 'Michigan',
  MN: 'Minnesota',
  MO: 'Missouri',
  MS: 'Mississippi',
  MT: 'Montana',
  NC: 'North Carolina',
  ND: 'North Dakota',
  NE: 'Nebraska',
  NH: 'New Hampshire',
  NJ: 'New Jersey',
  NM: 'New Mexico',
  NV: 'Nevada',
  NY: 'New York',
  OH: 'Ohio',
  OK: 'Oklahoma',
  OR: 'Oregon',
  PA: 'Pennsylvania',
  RI: 'Rhode Island',
  SC: 'South Carolina',
  SD: 'South Dakota',
  TN: 'Tennessee',
  TX: 'Texas',
  UT: 'Utah',
  VA: 'Virginia',
  VT: 'Vermont',
  WA: 'Washington',
  WI: 'Wisconsin',
  WV: 'West Virginia',
  WY: 'Wyoming',
};

const CA: Record<string, string> = {
  AB: 'Alberta',
  BC: 'British Columbia',
  MB: 'Manitoba',
  NB: 'New Brunswick',
  NL: 'Newfoundland and Labrador, Newfoundland',
  NS: 'Nova Scotia',
  NT: 'Northwest Territories',
  NU: 'Nunavut',
  ON: 'Ontario',
  PE: 'Prince Edward Island',
  QC: 'Quebec',
  SK: 'Saskatchewan',
  YT: 'Yukon, Yukon Territory',
};

/** By country, from the plain form of a name to its code. */
const CODES = new Map(
  Object.entries({ CN, US, CA }).map(([country, names]) => [
    country,
    new Map(
      Object.entries(names).flatMap(([code, spellings]) =>
        spellings.split(', ').map((name): [string, string] => [plain(name), `${country}-${code}`]),
      ),
    ),
  ]),
);

/** Names as databases spell them, to codes: `plain` is too slow for each query. Bounded, since files are input. */
const seen = new Map<string, string | undefined>();
const MAX_SEEN = 10_000;

export function subdivisionCode(country: string, name: string): string | undefined {
  const codes = CODES.get(country);
  if (codes === undefined) return undefined;
  const spelling = `${country}/${name}`;
  if (seen.has(spelling)) return seen.get(spelling);
  const code = codes.get(plain(name));
  if (seen.size < MAX_SEEN) seen.set(spelling, code);
  return code;
}

const KNOWN = new Set([...CODES.values()].flatMap((codes) => [...codes.values()]));

/** Whether a flat database can place anybody in this subdivision. */
export function isKnownSubdivision(code: string): boolean {
  return KNOWN.has(code);
}

/** `Québec` and `Guangdong Sheng` as `quebec` and `guangdong`: no accents, no case, no word for what it is. */
function plain(name: string): string {
  return name
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase()
    .replace(/ (autonomous region|zizhiqu|province|municipality|sheng|shi)$/, '')
    .trim();
}
