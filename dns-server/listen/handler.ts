/** What a listener gives its messages to: bytes and their sender in, bytes out; nothing is silence. */
import type { Transport } from '../answer/respond.ts';
import type { IpAddress } from '../geo/ip-address.ts';

/** The bytes are good until the next call: whoever keeps them longer copies them. */
export type Handler = (message: Buffer, source: IpAddress, transport: Transport) => Buffer | undefined;
