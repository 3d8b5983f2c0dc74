import { Agent, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 8 });

/** One GET to `address` with a Host header of our choice. A call that could not be made has status 0 and says why in its body. */
export function ask(address: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const at = address.lastIndexOf(':');
  return new Promise((resolve) => {
    const sent = request(
      { host: address.slice(0, at), port: address.slice(at + 1), path, headers: { ...headers }, agent, timeout: 10_000 },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
        response.on('error', (error) => resolve({ status: 0, body: error.message }));
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('no answer in 10 s')));
    sent.on('error', (error) => resolve({ status: 0, body: error.message }));
    sent.end();
  });
}

/** Sends `count` requests, four at a time, and adds up what `name` makes of the answers. */
export async function askMany(
  count: number,
  one: () => Promise<Answer>,
  name: (answer: Answer) => string,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left--;
      const found = name(await one());
      counts.set(found, (counts.get(found) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  return counts;
}

/** `v1 80, v2 20`, in the order of names. */
export function countsText(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${String(count)}`)
    .join(', ');
}
