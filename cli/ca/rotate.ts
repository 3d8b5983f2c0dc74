import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { askControlPlane, refusalText } from '../serve/admin-client.ts';
import { caDir, fail, print, reported } from './folder-command.ts';
import { printRotation } from './print-rotation.ts';

interface RotateFlags {
  readonly caDir: string;
  readonly plan?: true;
  readonly status?: true;
  readonly prepare?: true;
  readonly advance?: true;
  readonly rollback?: true;
  readonly from?: string;
  readonly force?: true;
  readonly output: 'table' | 'json';
}

type Order = readonly [method: 'GET' | 'POST', path: string, body?: unknown];

/** What was asked for; undefined for none or more than one. */
function orderOf(flags: RotateFlags): Order | undefined {
  const force = flags.force === true;
  const orders: Order[] = [];
  if (flags.plan === true) orders.push(['GET', '/rotation/plan']);
  if (flags.status === true) orders.push(['GET', '/rotation']);
  if (flags.prepare === true)
    orders.push(['POST', '/rotation/prepare', flags.from === undefined ? {} : { from: resolve(flags.from) }]);
  if (flags.advance === true) orders.push(['POST', '/rotation/advance', { force }]);
  if (flags.rollback === true) orders.push(['POST', '/rotation/rollback', { force }]);
  return orders.length === 1 ? orders[0] : undefined;
}

async function rotate(flags: RotateFlags): Promise<void> {
  const order = orderOf(flags);
  if (order === undefined) return fail(2, 'give one of --status, --plan, --prepare, --advance and --rollback');
  if (flags.from !== undefined && flags.prepare !== true) return fail(2, '--from goes with --prepare');
  if (flags.force === true && flags.advance !== true && flags.rollback !== true)
    return fail(2, '--force goes with --advance or --rollback');
  const [method, path, body] = order;
  const answer = await askControlPlane(flags.caDir, method, path, body);
  if (answer.kind === 'away') return fail(1, answer.reason);
  const refused = answer.status >= 300;
  if (flags.output === 'json') print(answer.body);
  else printRotation(answer.body);
  if (refused) fail(1, refusalText(answer.body));
  else if (method === 'GET' && planBlocked(answer.body)) process.exitCode = 1;
}

function planBlocked(body: unknown): boolean {
  const plan = typeof body === 'object' && body !== null && 'plan' in body ? body.plan : undefined;
  return typeof plan === 'object' && plan !== null && 'ready' in plan && plan.ready === false;
}

/** `gatehouse ca rotate`. */
export function rotateCommand(): Command {
  return new Command('rotate')
    .description('replace the root without downtime: prepare, advance to active, to retiring, and to the end')
    .addOption(caDir())
    .option('--status', 'which root does what')
    .option('--plan', 'the next step and who or what is in its way; exit 1 if anything is')
    .option('--prepare', 'make a new root and put it into the trust bundle of all proxies beside the old one')
    .option('--from <dir>', 'with --prepare: take the root from a folder with ca-cert.pem, ca-key.pem and root-cert.pem')
    .option('--advance', 'one step forward, once nothing is in its way')
    .option('--rollback', 'one step back')
    .option('--force', 'with --advance or --rollback: whatever is in the way')
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
Examples:
  gatehouse ca rotate --ca-dir .gatehouse/ca --prepare                 # a new self-signed root, trusted beside the old one
  gatehouse ca rotate --ca-dir .gatehouse/ca --prepare --from cacerts/ # a plugged-in one
  gatehouse ca rotate --ca-dir .gatehouse/ca --plan                    # who has not acknowledged it
  gatehouse ca rotate --ca-dir .gatehouse/ca --advance                 # it signs; then again, when no old certificate is left
  gatehouse ca rotate --ca-dir .gatehouse/ca --rollback

The control plane must be running on that folder.`,
    )
    .action((flags: RotateFlags) => reported(() => rotate(flags)));
}
