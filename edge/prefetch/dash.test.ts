import { expect, test } from 'vitest';
import { dashUrls } from './dash.ts';

const AT = 'http://video.example.com/d/m.mpd';
const mpd = (inner: string, attributes = 'type="static" mediaPresentationDuration="PT0H0M9.5S"') =>
  dashUrls(`<?xml version="1.0"?><!-- <Period> --><MPD ${attributes}>${inner}</MPD>`, AT).map((url) =>
    url.replace('http://video.example.com', ''),
  );
const set = (inner: string) => `<Period><AdaptationSet>${inner}</AdaptationSet></Period>`;

test('numbers: as many as the duration needs, from startNumber', () => {
  const template =
    '<SegmentTemplate timescale="1000" duration="4000" startNumber="7" media="$RepresentationID$-$Bandwidth$-$Number$.m4s"/>';
  expect(mpd(set(`${template}<Representation id="a&amp;b" bandwidth="5"/>`))).toEqual(
    [7, 8, 9].map((number) => `/d/a&b-5-${number}.m4s`),
  );
});

test('a timeline, and a template whose parts stand on several levels', () => {
  const outer = '<SegmentTemplate initialization="i$RepresentationID$.mp4" media="s$Time$.m4s"/>';
  const inner = `<Representation id="1"><SegmentTemplate><SegmentTimeline><S t="10" d="5" r="2"/><S d="3"/></SegmentTimeline></SegmentTemplate></Representation>`;
  expect(mpd(set(outer + inner))).toEqual(
    ['i1.mp4', 's10.m4s', 's15.m4s', 's20.m4s', 's25.m4s'].map((name) => `/d/${name}`),
  );
});

test('a run of a timeline that goes on: to the next one that says when it begins, then to the end', () => {
  const runs = '<S t="4" d="2" r="-1"/><S t="10" d="4" r="-1"/>';
  const template = `<SegmentTemplate timescale="2" presentationTimeOffset="4" media="$Time$.m4s"><SegmentTimeline>${runs}</SegmentTimeline></SegmentTemplate>`;
  // 9.5 s in halves, from 4 on.
  expect(mpd(set(`${template}<Representation id="1"/>`))).toEqual(
    [4, 6, 8, 10, 14, 18, 22].map((time) => `/d/${time}.m4s`),
  );
});

test('each Period as far as the next one, the last one to the end of the whole', () => {
  const period = (attributes: string, name: string) =>
    `<Period ${attributes}>${`<AdaptationSet><SegmentTemplate duration="2" media="${name}$Number$"/><Representation id="1"/></AdaptationSet>`}</Period>`;
  const periods = [
    period('start="PT0S"', 'a'),
    period('start="PT3S" duration="PT1S"', 'b'),
    // Begins where the one before ends.
    period('', 'c'),
  ];
  expect(mpd(periods.join(''))).toEqual(['a1', 'a2', 'b1', 'c1', 'c2', 'c3'].map((name) => `/d/${name}`));
});

test('a list, base URLs, and a single file', () => {
  const list = '<SegmentList><Initialization sourceURL="i.mp4"/><SegmentURL media="1.m4s"/></SegmentList>';
  expect(
    mpd(
      `<BaseURL>x/</BaseURL>${set(`<Representation id="1"><BaseURL>y/</BaseURL>${list}</Representation>`)}`,
    ),
  ).toEqual(['/d/x/y/i.mp4', '/d/x/y/1.m4s']);
  expect(mpd(set('<Representation id="1"><BaseURL>file.mp4</BaseURL></Representation>'))).toEqual([
    '/d/file.mp4',
  ]);
});

test('nothing of live manifests, of what is no manifest, and of what announces too much', () => {
  const template = '<SegmentTemplate duration="1" media="$Number$"/><Representation id="1"/>';
  expect(mpd(set(template), 'type="dynamic" mediaPresentationDuration="PT9S"')).toEqual([]);
  expect(dashUrls('<html>', AT)).toEqual([]);
  expect(dashUrls('<a><b></c></d></e>', AT)).toEqual([]);
  expect(mpd(set(template), 'mediaPresentationDuration="P9999D"')).toHaveLength(50_000);
});
