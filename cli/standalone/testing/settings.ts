/** The smallest weir.yaml, as data. */
export const SMALLEST_SETTINGS = {
  zones: [
    {
      name: 'cdn.example.net',
      nameServers: [{ name: 'ns1.example.net' }],
      soa: { contact: 'h.example.net' },
    },
  ],
  regions: [{ name: 'all' }],
  defaultRegion: 'all',
};
