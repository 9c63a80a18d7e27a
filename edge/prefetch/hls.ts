/** What an HLS playlist (RFC 8216) names: further playlists, segments, maps. Pure. */

/** URIs as they stand, in order. Keys are for players alone. */
export function hlsUris(playlist: string): string[] {
  return playlist.split(/\r?\n/).flatMap((line) => {
    const text = line.trim();
    if (text === '') return [];
    if (!text.startsWith('#')) return [text];
    const [, uri] = /^#EXT-X-(?:MAP|MEDIA|I-FRAME-STREAM-INF|PART):.*?\bURI="([^"]+)"/.exec(text) ?? [];
    return uri === undefined ? [] : [uri];
  });
}
