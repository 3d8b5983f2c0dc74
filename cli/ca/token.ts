import { randomBytes } from 'node:crypto';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import type { ListedJoinToken } from '../../ca/authenticate/join-token-folder.ts';
import { ID_DIGITS } from '../../ca/authenticate/join-token-verifier.ts';
import { hashOfJoinToken, newJoinToken } from '../../ca/authenticate/join-token.ts';
import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';
import {
  parseSpiffeId,
  parseWorkloadSpiffeId,
  type SpiffeId,
  trustDomainOf,
  withScheme,
  workloadOf,
} from '../../ca/identity/spiffe-id.ts';
import { parseTrustDomain, type TrustDomain } from '../../ca/identity/trust-domain.ts';
import { parseDuration } from '../../mesh/admit/duration.ts';
import { fail, print, reported } from './folder-command.ts';
import { addPlaceOptions, openTokenPlace, type PlaceFlags, type TokenPlace } from './token-place.ts';

interface CreateFlags extends PlaceFlags {
  readonly output: 'token' | 'json';
  readonly identity?: string;
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly trustDomain?: string;
  readonly ttl: string;
}

const LONGEST_MS = 30 * 24 * 3600 * 1000;
/** How long used and expired tokens stay in the list. */
const KEPT_MS = 7 * 24 * 3600 * 1000;

async function inPlace(flags: PlaceFlags, task: (place: TokenPlace) => Promise<void>): Promise<void> {
  const place = await openTokenPlace(flags);
  try {
    await task(place);
  } finally {
    place.close();
  }
}

async function create(flags: CreateFlags): Promise<void> {
  const ttl = parseDuration(flags.ttl) ?? 0;
  if (ttl < 1000 || ttl > LONGEST_MS) return fail(2, `--ttl: ${flags.ttl} is not between 1s and 720h`);
  await inPlace(flags, (place) => createIn(place, flags, ttl));
}

async function createIn({ store, authorityNames }: TokenPlace, flags: CreateFlags, ttl: number): Promise<void> {
  const identity = identityOf(flags, flags.trustDomain === undefined ? await authorityNames() : '');
  if (!identity.ok) return fail(2, identity.reason);
  const now = new Date();
  await store.prune(new Date(now.getTime() - KEPT_MS));
  const token = newJoinToken(randomBytes);
  const hash = hashOfJoinToken(token);
  if (hash === undefined) throw new Error('a new join token has the wrong form');
  const expires = new Date(now.getTime() + ttl);
  await store.create({ hash, identity: identity.value, created: now, expires });
  if (flags.output === 'token') process.stdout.write(`${token}\n`);
  else print({ token, id: hash.slice(0, ID_DIGITS), identity: identity.value, expires });
}

function identityOf(flags: CreateFlags, names: string): Parsed<SpiffeId> {
  const own = parseTrustDomain(flags.trustDomain ?? /(?:^|, )URI:spiffe:\/\/([^/,]+)(?:$|,)/.exec(names)?.[1] ?? '');
  if (!own.ok) return refused(`--trust-domain: ${own.reason} (the certificate of the authority does not say it)`);
  if (flags.identity === undefined) return fromAccount(own.value, flags);
  if (flags.namespace !== undefined || flags.serviceAccount !== undefined)
    return refused('give either --identity, or --namespace and --service-account');
  const id = parseSpiffeId(withScheme(flags.identity));
  if (!id.ok) return refused(`--identity: ${id.reason}`);
  if (trustDomainOf(id.value) !== own.value) return refused(`--identity: it is not of the trust domain ${own.value}`);
  return workloadOf(id.value) === undefined ? refused('--identity: write TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT') : id;
}

function fromAccount(trustDomain: TrustDomain, { namespace, serviceAccount }: CreateFlags): Parsed<SpiffeId> {
  if (namespace === undefined || serviceAccount === undefined)
    return refused('say for whom: --identity, or --namespace and --service-account');
  const id = parseWorkloadSpiffeId(trustDomain, namespace, serviceAccount);
  return id.ok ? parsed(id.value) : refused(`--namespace and --service-account: ${id.reason}`);
}

function createCommand(): Command {
  const command = new Command('create').description(
    'make a token with which one machine gets its first certificate; it is shown once and works once',
  );
  return addPlaceOptions(command)
    .addOption(new Option('-o, --output <format>', 'the token alone, or with its id').choices(['token', 'json']).default('token'))
    .option('--identity <spiffe-id>', 'who joins with it, with or without spiffe://')
    .option('--namespace <name>', 'or the namespace of that identity')
    .option('--service-account <name>', 'and its service account')
    .option('--trust-domain <name>', "the trust domain (default: the authority's)")
    .option('--ttl <duration>', 'how long it can be used', '1h')
    .addHelpText(
      'after',
      `
Examples:
  gatehouse ca token create --ca-dir .gatehouse/ca --namespace shop --service-account cart > token
  gatehouse ca token create --ca-dir .gatehouse/ca --identity cluster.local/ns/vm/sa/db --ttl 10m -o json
  gatehouse ca token create --kubernetes --namespace vm --service-account db > token

The file is what the agent takes as tokenFile. A running control plane accepts the token at once.`,
    )
    .action((flags: CreateFlags) => reported(() => create(flags)));
}

interface ListFlags extends PlaceFlags {
  readonly output: 'table' | 'json';
}

function stateOf({ used, expires }: ListedJoinToken, now: Date): 'used' | 'expired' | 'unused' {
  return used ? 'used' : expires <= now ? 'expired' : 'unused';
}

const list = (flags: ListFlags): Promise<void> => inPlace(flags, (place) => listIn(place, flags));

async function listIn({ store }: TokenPlace, flags: ListFlags): Promise<void> {
  const now = new Date();
  const tokens = (await store.list()).map((token) => ({
    id: token.hash.slice(0, ID_DIGITS),
    identity: token.identity,
    state: stateOf(token, now),
    created: token.created.toISOString(),
    expires: token.expires.toISOString(),
  }));
  if (flags.output === 'json') return print(tokens);
  const table = new Table({ head: ['id', 'identity', 'state', 'created', 'expires'], style: { head: [], border: [] } });
  for (const { id, identity, state, created, expires } of tokens) table.push([id, identity, state, created, expires]);
  process.stdout.write(`${table.toString()}\n`);
}

function listCommand(): Command {
  const command = new Command('list').description('the tokens that were made; never the tokens themselves, which are not kept');
  return addPlaceOptions(command)
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table'))
    .addHelpText('after', '\nExamples:\n  gatehouse ca token list --ca-dir .gatehouse/ca')
    .action((flags: ListFlags) => reported(() => list(flags)));
}

const remove = (id: string, flags: PlaceFlags): Promise<void> => inPlace(flags, (place) => removeIn(place, id));

async function removeIn({ store }: TokenPlace, id: string): Promise<void> {
  const meant = (await store.list()).filter(({ hash }) => hash.startsWith(id));
  const [token] = meant;
  if (!/^[0-9a-f]{8,64}$/.test(id)) return fail(2, `${id} is no id of a token (gatehouse ca token list shows them)`);
  if (token === undefined || meant.length > 1)
    return fail(
      1,
      `${meant.length === 0 ? 'no token has' : 'several tokens have'} the id ${id}; gatehouse ca token list shows all`,
    );
  await store.delete(token.hash);
}

function deleteCommand(): Command {
  const command = new Command('delete')
    .description('make a token useless')
    .argument('<id>', 'as gatehouse ca token list shows it');
  return addPlaceOptions(command)
    .addHelpText('after', '\nExamples:\n  gatehouse ca token delete 3f1c9a0b7d52e684 --ca-dir .gatehouse/ca')
    .action((id: string, flags: PlaceFlags) => reported(() => remove(id, flags)));
}

/** `gatehouse ca token`: one-time tokens for machines that have no other proof of who they are. */
export function tokenCommand(): Command {
  return new Command('token')
    .description('one-time join tokens, for machines outside Kubernetes')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(deleteCommand());
}
