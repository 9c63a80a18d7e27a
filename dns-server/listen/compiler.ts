/**
 * How V8 compiles a dns-server. What answers a query is forty small functions, which share one budget of bytecode for
 * being put into one another; with the usual one (920) some stay calls, at 3 to 7 % of the CPU of a query in a batch. V8
 * reads the flag whenever it compiles one anew, so that it is in force for all that is hot.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--max-inlined-bytecode-size-cumulative=2760');
