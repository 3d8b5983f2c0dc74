import { readFileSync, statSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { Oidc } from '../../audit/page/server/auth/oidc.ts';
import { parseTokens, type TokenTable } from '../../audit/page/server/auth/tokens.ts';
import { Seal } from '../../audit/page/server/auth/sealed.ts';
import type { GateOptions } from '../../audit/page/server/auth/gate.ts';
import { readAgain } from './read-again.ts';
import type { PageOptions } from './page-options.ts';

const MOST_BYTES = 1024 * 1024;

function read(file: string): TokenTable {
  if (statSync(file).size > MOST_BYTES) throw new Error(`${file} is larger than ${MOST_BYTES} bytes`);
  const document = parseDocument(readFileSync(file, 'utf8'));
  // What the parser says quotes lines, and so tokens.
  if (document.errors.length > 0) throw new Error(`${file} cannot be read as YAML`);
  const content: unknown = document.toJS({ maxAliasCount: 0 });
  const table = parseTokens(content);
  if (!table.ok) throw new Error(`${file}: ${table.reason}`);
  return table.value;
}

/**
 * The tokens of a file as it is now. One that cannot be read any more lets nobody in: what was taken out of it must not count on.
 * @throws Error when it cannot be read at the start
 */
function tokensIn(file: string, clock: () => Date, complain: (error: unknown) => void): () => TokenTable {
  const nobody: TokenTable = { find: () => undefined, byId: () => undefined };
  return readAgain(file, read, nobody, clock, complain);
}

/** Undefined where anybody who reaches the page may see it: on loopback, without tokens and provider. */
export function gateOptions(
  { tokensFile, oidc }: Pick<PageOptions, 'tokensFile' | 'oidc'>,
  origin: URL,
  clock: () => Date,
  complain: (error: unknown) => void,
  sessionKeys: () => readonly Uint8Array[],
): Omit<GateOptions, 'stylesheet'> | undefined {
  if (tokensFile === undefined && oidc === undefined) return undefined;
  return {
    tokens: tokensFile === undefined ? undefined : tokensIn(tokensFile, clock, complain),
    oidc:
      oidc === undefined
        ? undefined
        : new Oidc(
            {
              ...oidc,
              clientSecret: oidc.clientSecretFile === undefined ? undefined : readFileSync(oidc.clientSecretFile, 'utf8').trim(),
              redirectUri: new URL('/auth/callback', origin).href,
            },
            clock,
          ),
    seal: new Seal(sessionKeys, clock),
    secure: origin.protocol === 'https:',
    complain,
  };
}
