/** What a listener gives its messages to: bytes and their sender in, bytes out; nothing is silence. */
import type { Transport } from '../answer/respond.ts';
import type { IpAddress } from '../geo/ip-address.ts';

/** The answer is the listener's to keep. What it hands in is not kept: a listener may use it again for the next message. */
export type Handler = (message: Buffer, source: IpAddress, transport: Transport) => Buffer | undefined;
