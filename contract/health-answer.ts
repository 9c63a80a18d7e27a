/**
 * What an edge's health path says beside its status, to dns-servers that probe it: with this header the edge itself says
 * that it leaves, which is a fact and needs no second probe. It serves on while resolvers forget it.
 */
export const LEAVING_HEADER = 'weir-leaving';
