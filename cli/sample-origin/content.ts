/** What the sample origin has: every file's path, type, freshness, and its bytes as a function of the seed. Pure. */
import { noise } from './noise.ts';
import { png } from './png.ts';

export interface SampleFile {
  /** As in the URL. */
  path: string;
  type: string;
  maxAge: number;
  bytes(): Iterable<Buffer>;
}

const HOUR = 3_600;
const VIDEO_BYTES = 50_000_000;
const SEGMENTS = 4;
const SEGMENT_SECONDS = 6;

export function sampleFiles(seed: number): SampleFile[] {
  return [
    { path: '/page.html', type: 'text/html; charset=utf-8', maxAge: 60, bytes: () => [page(seed)] },
    { path: '/image.png', type: 'image/png', maxAge: HOUR, bytes: () => [image(seed)] },
    {
      path: '/video.bin',
      type: 'application/octet-stream',
      maxAge: HOUR,
      bytes: () => noise(seed, 'video.bin', VIDEO_BYTES),
    },
    {
      path: '/hls/playlist.m3u8',
      type: 'application/vnd.apple.mpegurl',
      maxAge: 10,
      bytes: () => [playlist()],
    },
    ...Array.from({ length: SEGMENTS }, (_, index) => ({
      path: `/hls/segment-${index}.ts`,
      type: 'video/mp2t',
      maxAge: HOUR,
      bytes: () => [segment(seed, index)],
    })),
  ];
}

function page(seed: number): Buffer {
  return Buffer.from(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A page of the sample origin</title>
<h1>It works</h1>
<p>This page was made from seed ${seed}. Reload it: <code>Age</code> rises while an edge serves it from its cache.</p>
<img src="image.png" alt="coloured squares" width="320" height="180">
</html>
`);
}

/** Squares of the seed's colours, 20 pixels wide. */
function image(seed: number): Buffer {
  const [colours = Buffer.alloc(0)] = noise(seed, 'image.png', 16 * 9 * 3);
  return png(320, 180, (x, y) => {
    const square = 3 * (Math.floor(y / 20) * 16 + Math.floor(x / 20));
    return [colours[square] ?? 0, colours[square + 1] ?? 0, colours[square + 2] ?? 0];
  });
}

/** RFC 8216 4.3: a playlist that has ended. */
function playlist(): Buffer {
  const segments = Array.from(
    { length: SEGMENTS },
    (_, index) => `#EXTINF:${SEGMENT_SECONDS}.000,\nsegment-${index}.ts\n`,
  );
  return Buffer.from(
    `#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:${SEGMENT_SECONDS}\n#EXT-X-PLAYLIST-TYPE:VOD\n${segments.join('')}#EXT-X-ENDLIST\n`,
  );
}

const PACKET_BYTES = 188;
const PACKETS = 2_800;
const VIDEO_PID = 0x100;

/** MPEG-TS packets (ISO/IEC 13818-1 2.4.3) with noise for a picture: the size and shape of a segment, not a film. */
function segment(seed: number, index: number): Buffer {
  const bytes = Buffer.concat([...noise(seed, `segment-${index}`, PACKETS * PACKET_BYTES)]);
  for (let packet = 0; packet < PACKETS; packet++) {
    const payloadOnly = 0x10;
    const header = [0x47, VIDEO_PID >> 8, VIDEO_PID & 0xff, payloadOnly | (packet & 0x0f)];
    bytes.set(header, packet * PACKET_BYTES);
  }
  return bytes;
}
