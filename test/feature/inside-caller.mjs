// Runs inside of a pod's network namespace and asks there what a test tells it by lines of JSON on standard input.
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';

const agent = new Agent({ keepAlive: true, maxSockets: 16 });

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, address, path, headers } = JSON.parse(line);
  const [host, port] = address.split(':');
  const tell = (told) => process.stdout.write(`${JSON.stringify({ id, ...told })}\n`);
  const sent = request({ host, port, path, headers, agent, timeout: 15_000 }, (response) => {
    const chunks = [];
    response.on('data', (chunk) => chunks.push(chunk));
    response.on('end', () =>
      tell({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }),
    );
    response.on('error', (error) => tell({ error: error.message }));
  });
  sent.on('timeout', () => sent.destroy(new Error(`no answer from ${address}${path} in 15 s`)));
  sent.on('error', (error) => tell({ error: error.message }));
  sent.end();
});
