#!/usr/bin/env node
import { main } from './door.mjs';

await main(process.argv);
