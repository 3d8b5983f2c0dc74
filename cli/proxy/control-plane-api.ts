import { type IncomingMessage, request } from 'node:http';
import { parseListenAddress } from '../options/address.ts';
import type { Parsed } from '../../ca/identity/parsed.ts';

const LARGEST = 1 << 30;
const TIMEOUT_MS = 10_000;

/** What asking came to. `usage`: the address is none; `finding`: nobody answers, or with a refusal. */
export type Asked<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly kind: 'usage' | 'finding'; readonly reason: string };

/**
 * Asks a control plane over its --http-address.
 * @param patience how long it may be silent, in milliseconds
 */
export async function ask<Value>(
  http: string,
  method: 'GET' | 'POST',
  path: string,
  patience: number = TIMEOUT_MS,
): Promise<Asked<Value>> {
  const address = parseListenAddress(http);
  if (!address.ok) return { ok: false, kind: 'usage', reason: `--http: ${address.reason}` };
  const { host, port } = address.value;
  let answer: Parsed<string>;
  try {
    answer = await exchange(request({ host, port, path, method, agent: false }), patience);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const hint = 'name its --http-address with --http';
    return { ok: false, kind: 'finding', reason: `no control plane answers at ${http}: ${reason} (${hint})` };
  }
  if (!answer.ok) return { ok: false, kind: 'finding', reason: answer.reason };
  const value: Value = JSON.parse(answer.value);
  return { ok: true, value };
}

function exchange(sent: ReturnType<typeof request>, patience: number): Promise<Parsed<string>> {
  return new Promise((resolve, reject) => {
    sent.setTimeout(patience, () => sent.destroy(new Error(`no answer in ${patience / 1000} s`)));
    sent.on('error', reject);
    sent.on('response', (response) => {
      bodyOf(response).then((text) => {
        if (response.statusCode === 200) return resolve({ ok: true, value: text });
        resolve({ ok: false, reason: refusalIn(text) ?? `the answer was status ${String(response.statusCode)}` });
      }, reject);
    });
    sent.end();
  });
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size > LARGEST) throw new Error('the answer is larger than 1 GiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** `{"error": "..."}`, as the control plane refuses. */
function refusalIn(text: string): string | undefined {
  try {
    const { error }: { readonly error?: unknown } = JSON.parse(text);
    return typeof error === 'string' ? error : undefined;
  } catch {
    return undefined;
  }
}
