import { userInfo } from 'node:os';
import { Command, Option } from 'commander';
import { DEFAULT_REASON, REASON_CODES, type Revocation } from '../../ca/revocation/revocation.ts';
import { parseOrder, type RevocationOrder } from '../serve/admin-revocation.ts';
import { askControlPlane, refusalText } from '../serve/admin-client.ts';
import { caDir, fail, print, reported } from './folder-command.ts';
import { printRevocations } from './print-revocations.ts';
import { inFolder } from './revocations-in-folder.ts';

interface RevokeFlags {
  readonly caDir: string;
  readonly serial?: string;
  readonly identity?: string;
  readonly reason: string;
  readonly undo?: true;
  readonly list?: true;
  readonly output: 'table' | 'json';
}

async function revoke(flags: RevokeFlags): Promise<void> {
  if (flags.list === true) return list(flags);
  const { serial, identity, reason, undo = false } = flags;
  const body = { serial, identity, reason, undo, by: userInfo().username };
  const order = parseOrder(body);
  if (!order.ok) return fail(2, `${order.reason} (--serial HEX or --identity SPIFFE-ID)`);
  const answer = await askControlPlane(flags.caDir, 'POST', '/revocation', body);
  if (answer.kind === 'away') return revokeInFolder(flags, order.value);
  if (answer.status >= 300) return fail(1, refusalText(answer.body));
  const revocation = revocationIn(answer.body);
  tell(flags, revocation, undo, 'in force, and on its way to every connected proxy');
}

/** Without a control plane: what is written is in force from its next start. */
async function revokeInFolder(flags: RevokeFlags, { target, reason, by, undo }: RevocationOrder): Promise<void> {
  const done = await inFolder(flags.caDir, (revocations) =>
    undo ? revocations.undo(target) : revocations.revoke(target, { reason, by }),
  );
  if (!done.ok) return fail(1, done.reason);
  tell(flags, done.value, undo, 'no control plane runs on this folder: in force once one starts');
}

function tell({ output }: RevokeFlags, revocation: Revocation | undefined, undone: boolean, state: string): void {
  if (output === 'json') return print({ undone, state, revocation });
  const what = revocation === undefined ? '' : revocation.kind === 'serial' ? revocation.serial : revocation.identity;
  const number = revocation?.kind === 'identity' ? revocation.certificates.length : undefined;
  // Most likely mistyped, or of a trust domain that others issue for.
  const hint = number === 0 ? ': check its spelling' : '';
  const certificates = number === undefined || undone ? '' : ` (${number} valid certificate${number === 1 ? '' : 's'}${hint})`;
  process.stdout.write(`${undone ? 'no longer revoked' : 'revoked'}: ${what}${certificates}; ${state}\n`);
}

async function list(flags: Pick<RevokeFlags, 'caDir' | 'output'>): Promise<void> {
  const answer = await askControlPlane(flags.caDir, 'GET', '/revocation');
  if (answer.kind === 'answer') return printRevocations(revocationsIn(answer.body), flags.output);
  printRevocations(await inFolder(flags.caDir, (revocations) => Promise.resolve(revocations.list())), flags.output);
}

// Both ends of the socket are this program, of one version or nearly so: what is printed is what came.
function revocationIn(body: unknown): Revocation | undefined {
  return (body as { readonly revocation?: Revocation }).revocation;
}

function revocationsIn(body: unknown): readonly Revocation[] {
  return (body as { readonly revocations?: readonly Revocation[] }).revocations ?? [];
}

const output = (): Option => new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table');

/** `gatehouse ca revoke`. */
export function revokeCommand(): Command {
  return new Command('revoke')
    .description('cut off a certificate or an identity: proxies refuse it within seconds, and it gets no new certificate')
    .addOption(caDir())
    .option('--serial <hex>', 'one certificate, by its serial number')
    .option('--identity <spiffe-id>', 'an identity with all its certificates, with or without spiffe://')
    .option('--reason <text>', `why: own words, or one of ${Object.keys(REASON_CODES).join(', ')}`, DEFAULT_REASON)
    .option('--undo', 'lift the revocation')
    .option('--list', 'what is revoked, as gatehouse ca revoked')
    .addOption(output())
    .addHelpText(
      'after',
      `
Examples:
  gatehouse ca revoke --ca-dir .gatehouse/ca --identity cluster.local/ns/shop/sa/cart --reason keyCompromise
  gatehouse ca revoke --ca-dir .gatehouse/ca --serial 4f3d0c...
  gatehouse ca revoke --ca-dir .gatehouse/ca --identity cluster.local/ns/shop/sa/cart --undo
  gatehouse ca revoke --ca-dir .gatehouse/ca --list -o json`,
    )
    .action((flags: RevokeFlags) => reported(() => revoke(flags)));
}

/** `gatehouse ca revoked`. */
export function revokedCommand(): Command {
  return new Command('revoked')
    .description('what is revoked now, by whom, when and why')
    .addOption(caDir())
    .addOption(output())
    .addHelpText(
      'after',
      `
Examples:
  gatehouse ca revoked --ca-dir .gatehouse/ca
  gatehouse ca revoked --ca-dir .gatehouse/ca -o json | jq -r '.revocations[].identity'`,
    )
    .action((flags: Pick<RevokeFlags, 'caDir' | 'output'>) => reported(() => list(flags)));
}
