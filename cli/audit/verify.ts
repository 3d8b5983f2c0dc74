import { readFile, stat } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { Command, Option } from 'commander';
import { type Verified, verifyBundle } from '../../audit/bundle/verify.ts';
import { visible } from '../../audit/report/visible.ts';
import { parseBundle } from '../../ca/root/chain.ts';
import { fail } from './options.ts';

interface VerifyFlags {
  readonly root?: string;
  readonly output: 'text' | 'json';
}

/** A bundle is read whole. */
const LARGEST = 2 ** 30;

async function archiveAt(path: string): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > LARGEST) throw new Error(`${path} is larger than 1 GiB`);
  const bytes = await readFile(path);
  // RFC 1952, section 2.3.1.
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes, { maxOutputLength: LARGEST }) : bytes;
}

function text({ ok, faults, manifest, signer, rootKnown, proofs }: Verified): string {
  const lines = [
    ok ? 'The bundle is as it was signed.' : 'The bundle cannot be trusted:',
    ...faults.map((fault) => `* ${fault}`),
    ...(manifest === undefined
      ? []
      : [
          `made at ${manifest.createdAt} by ${manifest.preparedBy} with gatehouse ${manifest.version}`,
          `period: from ${manifest.period.since ?? 'the beginning'} to ${manifest.period.until}`,
          `files: ${manifest.files.length}`,
        ]),
    ...(signer === undefined ? [] : [`signed by: ${signer.subject}`, `SHA-256 of its root: ${signer.rootFingerprint}`]),
    ...(rootKnown === true ? ['that root is one of those given'] : []),
    ...(proofs === undefined ? [] : [`records proven to be in the issuance log: ${proofs}`]),
  ];
  return lines.map((line) => `${visible(line)}\n`).join('');
}

async function run(path: string, { root, output }: VerifyFlags): Promise<void> {
  const roots = root === undefined ? undefined : parseBundle(await readFile(root, 'utf8'));
  if (roots?.ok === false) return fail(2, `--root ${root ?? ''}: ${roots.reason}`);
  const verified = verifyBundle(await archiveAt(path), roots?.value, new Date());
  if (output === 'json')
    process.stdout.write(`${JSON.stringify({ ...verified, rootKnown: verified.rootKnown ?? null }, undefined, 2)}\n`);
  else process.stdout.write(text(verified));
  if (!verified.ok) return fail(1, `${path}: ${verified.faults[0] ?? 'it cannot be trusted'}`);
  if (roots === undefined)
    process.stderr.write(
      'warning: without --root nothing says that the signer is yours: compare the SHA-256 of its root with the one that you know\n',
    );
}

/** `gatehouse audit verify`: checks a bundle without anything else. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('check every byte of a bundle, its signature, the signer and the proofs; works offline')
    .argument('<bundle>', 'the archive')
    .option('--root <file>', 'PEM with the roots that you trust; the signer must be under one of them')
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['text', 'json']).default('text'))
    .addHelpText(
      'after',
      `
Exit status: 0 it is as it was signed, 1 it is not, 2 wrong usage.

Examples:
  gatehouse audit verify october.tar.gz --root root-cert.pem
  gatehouse audit verify october.tar -o json | jq .signer.rootFingerprint`,
    )
    .action((path: string, flags: VerifyFlags) =>
      run(path, flags).catch((error: unknown) => fail(1, error instanceof Error ? error.message : String(error))),
    );
}
