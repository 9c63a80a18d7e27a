/**
 * The segments that a DASH manifest (ISO/IEC 23009-1) names: by SegmentTemplate (numbers or a timeline), by SegmentList,
 * or a Representation's one file. Pure. Of live manifests (`dynamic`) nothing is taken: their segments change meanwhile.
 */
import { type Element, readXml } from './xml.ts';

/** A manifest that announces more is a mistake, or an attack. */
const MAX_SEGMENTS = 50_000;

/** Absolute URLs. */
export function dashUrls(manifest: string, at: string): string[] {
  const mpd = readXml(manifest);
  if (mpd?.name !== 'MPD' || mpd.attributes.type === 'dynamic') return [];
  const whole = seconds(mpd.attributes.mediaPresentationDuration);
  const base = baseOf(mpd, at);
  const periods = childrenOf(mpd, 'Period');
  const durations = durationsOf(periods, whole);
  return periods.flatMap((period, index) =>
    childrenOf(period, 'AdaptationSet').flatMap((set) =>
      childrenOf(set, 'Representation').flatMap((representation) =>
        segmentsOf(
          [period, set, representation],
          baseOf(representation, baseOf(set, baseOf(period, base))),
          durations[index] ?? 0,
        ),
      ),
    ),
  );
}

/** A Period ends where it says so, where the next one begins, or with the whole (5.3.2.1). In seconds. */
function durationsOf(periods: readonly Element[], whole: number | undefined): number[] {
  let end = 0;
  return periods.map(({ attributes }, index) => {
    const start = seconds(attributes.start) ?? end;
    const next = seconds(periods[index + 1]?.attributes.start);
    const duration = seconds(attributes.duration) ?? Math.max(0, (next ?? whole ?? start) - start);
    end = start + duration;
    return duration;
  });
}

function segmentsOf(path: readonly Element[], base: string, duration: number): string[] {
  const representation = path.at(-1);
  // Attributes of an inner level replace those of the levels around it.
  const inherited = (name: string) => path.flatMap((element) => childrenOf(element, name));
  const templates = inherited('SegmentTemplate');
  const lists = inherited('SegmentList');
  const uris =
    templates.length > 0
      ? templateUris(templates, representation?.attributes ?? {}, duration)
      : lists.flatMap(listUris);
  if (templates.length === 0 && lists.length === 0) return [base];
  return uris.flatMap((uri) => URL.parse(uri, base)?.href ?? []);
}

function listUris(list: Element): string[] {
  return list.children.flatMap(({ name, attributes: { media, sourceURL } }) =>
    name === 'SegmentURL' ? (media ?? []) : name === 'Initialization' ? (sourceURL ?? []) : [],
  );
}

function templateUris(
  templates: readonly Element[],
  { id = '', bandwidth = '' }: Element['attributes'],
  duration: number,
): string[] {
  const merged = Object.assign({}, ...templates.map(({ attributes }) => attributes)) as Element['attributes'];
  const { initialization, media } = merged;
  const fill = (text: string, number: number, time: number) =>
    fillTemplate(text, { RepresentationID: id, Bandwidth: bandwidth, Number: number, Time: time });
  const timeline = templates.flatMap((template) => childrenOf(template, 'SegmentTimeline')).at(-1);
  const times =
    timeline === undefined ? evenTimes(merged, duration) : timelineTimes(timeline, endOf(merged, duration));
  const first = Number(merged.startNumber ?? 1);
  return [
    ...(initialization === undefined ? [] : [fill(initialization, 0, 0)]),
    ...(media === undefined ? [] : times.map((time, index) => fill(media, first + index, time))),
  ];
}

function evenTimes({ duration = '0', timescale = '1' }: Element['attributes'], whole: number): number[] {
  const each = Number(duration);
  const count = each > 0 ? Math.ceil((whole * Number(timescale)) / each) : 0;
  return Array.from({ length: Math.min(count, MAX_SEGMENTS) || 0 }, (_, index) => index * each);
}

/** Of a Period, in the units of its template. */
function endOf(
  { timescale = '1', presentationTimeOffset = '0' }: Element['attributes'],
  duration: number,
): number {
  return Number(presentationTimeOffset) + duration * Number(timescale);
}

/** `<S t d r>`: r more of the same length follow; below 0 as many as fit before the next one, or the end (5.3.9.6). */
function timelineTimes(timeline: Element, end: number): number[] {
  const times: number[] = [];
  const runs = childrenOf(timeline, 'S').map(({ attributes }) => attributes);
  let at = 0;
  for (const [index, { t, d = '0', r = '0' }] of runs.entries()) {
    const length = Number(d);
    at = Number(t ?? at);
    const until = Number(runs[index + 1]?.t ?? end);
    const count = Number(r) < 0 ? Math.ceil((until - at) / length) : Number(r) + 1;
    for (let left = count; left > 0 && times.length < MAX_SEGMENTS; left--) {
      times.push(at);
      at += length;
    }
  }
  return times;
}

/** `$Number%05d$` and the like; `$$` is a dollar. */
function fillTemplate(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\$(\w*)(?:%0(\d+)d)?\$/g, (whole, name: string, width: string | undefined) => {
    if (name === '') return '$';
    const value = values[name];
    return value === undefined ? whole : String(value).padStart(Math.min(Number(width ?? 0), 32), '0');
  });
}

function baseOf(element: Element, outer: string): string {
  const [first] = childrenOf(element, 'BaseURL');
  return first === undefined ? outer : (URL.parse(first.text.trim(), outer)?.href ?? outer);
}

function childrenOf({ children }: Element, wanted: string): Element[] {
  return children.filter(({ name }) => name === wanted);
}

/** `PT1H2M3.5S`. */
function seconds(text: string | undefined): number | undefined {
  const [found, days = 0, hours = 0, minutes = 0, rest = 0] =
    /^P(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?$/.exec(text ?? '') ?? [];
  if (found === undefined) return undefined;
  return Number(days) * 86_400 + Number(hours) * 3_600 + Number(minutes) * 60 + Number(rest);
}
