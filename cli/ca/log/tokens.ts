import { existsSync } from 'node:fs';
import Table from 'cli-table3';
import { type LoggedToken, readTokens, type TokenQuestion } from '../../../ca/log/read-tokens.ts';
import { folderAt } from '../../../ca/root/folder.ts';
import { fail } from '../folder-command.ts';

/** `ca log show --tokens`: the newest JWT-SVIDs of the log. */
export async function showTokens(dir: string, question: TokenQuestion, most: number, output: 'table' | 'json'): Promise<void> {
  const { issuanceLog } = folderAt(dir);
  if (!existsSync(issuanceLog)) return fail(1, `there is no issuance log in ${dir}: no authority was opened there`);
  let tokens: LoggedToken[] = [];
  for await (const token of readTokens(issuanceLog, question)) {
    tokens.push(token);
    if (tokens.length > 2 * most) tokens = tokens.slice(-most);
  }
  tokens = tokens.slice(-most);
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify({ tokens }, null, 2)}\n`);
    return;
  }
  const table = new Table({
    head: ['time', 'identity', 'audience', 'valid until', 'evidence', 'key'],
    style: { head: [], border: [] },
  });
  for (const { time, identity, audience, expiresAt, evidence, kid } of tokens)
    table.push([time, identity, audience.join('\n'), expiresAt, `${evidence.kind}: ${evidence.subject}`, kid]);
  process.stdout.write(`${table.toString()}\n`);
}
