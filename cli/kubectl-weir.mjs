#!/usr/bin/env node
// `kubectl weir`: the same command, for resources in a Kubernetes API.
import { main } from './door.mjs';

await main(process.argv, 'kubectl weir');
