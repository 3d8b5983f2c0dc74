// An HTTP server on each of several ports, for `gatehouse up --image`.
import { createServer } from 'node:http';

for (const port of [8090, 8091, 8092, 8093, 9000])
  createServer((_, response) => response.end(`port ${port}\n`)).listen(port, process.env.HOST ?? '0.0.0.0');
