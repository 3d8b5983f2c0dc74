import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Parsed } from '../../ca/identity/parsed.ts';
import { parseStoreLocation, type StoreLocation } from '../../audit/store/location.ts';
import { federationArguments } from '../options/federation.ts';
import { type FederationFlags, parseFederationFlags } from '../serve/federation-options.ts';
import { findExecutable } from './executable.ts';
import { type ImageCommand, type ImageTable, parseImageFlag, parseImageTable } from './images.ts';
import { samplesFolder } from './samples.ts';
import { parseServedFlags, type Served, type ServedFlags } from './served.ts';

/** What commander hands over. */
export interface UpFlags extends FederationFlags, ServedFlags {
  readonly filename: readonly string[];
  readonly meshConfig?: string;
  readonly capture: 'explicit' | 'netns';
  readonly gatewayPort: string;
  readonly runDir: string;
  readonly image?: readonly string[];
  readonly images?: readonly string[];
  readonly envoy?: string;
  readonly certificateTtl: string;
  readonly automaticScope?: boolean;
  readonly alerts?: string;
  readonly auditDb?: string;
  readonly auditDbPasswordFile?: string;
  readonly output: 'text' | 'json';
}

export interface UpOptions {
  readonly paths: readonly string[];
  readonly meshConfigFile: string | undefined;
  readonly capture: 'explicit' | 'netns';
  /** 0: any free one. */
  readonly gatewayPort: number;
  readonly runDir: string;
  readonly images: ImageTable;
  readonly envoy: string;
  readonly certificateTtl: string;
  readonly automaticScope: boolean;
  /** Undefined: a file in the run's folder. */
  readonly auditStore: StoreLocation | undefined;
  /** The file of the control plane's `--alerts`. */
  readonly alertsFile: string | undefined;
  /** The page, and what is kept of tokens. */
  readonly served: Served;
  /** Arguments about other trust domains, for gatehouse serve. */
  readonly federation: readonly string[];
}

export type OptionsResult =
  | { readonly ok: true; readonly options: UpOptions }
  /** `usage`: the command line itself is wrong; otherwise the machine lacks something. */
  | { readonly ok: false; readonly usage: boolean; readonly reason: string };

function wrong(reason: string): OptionsResult {
  return { ok: false, usage: true, reason };
}

/** Checks the flags and reads the image tables: the samples' own, then `--images`, then `--image`; later ones win. */
export function parseUpFlags(flags: UpFlags): OptionsResult {
  const gatewayPort = /^\d{1,5}$/.test(flags.gatewayPort) ? Number(flags.gatewayPort) : Number.NaN;
  if (!(gatewayPort <= 65_535))
    return wrong(`--gateway-port: ${flags.gatewayPort} is no port (0 to 65535; 0 takes any free one)`);
  const served = parseServedFlags(flags);
  if (!served.ok) return wrong(served.reason);
  const auditStore = auditStoreOf(flags);
  if (!auditStore.ok) return wrong(auditStore.reason);
  const federation = parseFederationFlags(flags);
  if (!federation.ok) return wrong(federation.reason);
  const images = imagesOf(flags);
  if (!images.ok) return wrong(images.reason);
  const asked = flags.envoy ?? process.env['GATEHOUSE_ENVOY'] ?? 'envoy';
  const envoy = findExecutable(asked);
  if (envoy === undefined)
    return {
      ok: false,
      usage: false,
      reason: `no Envoy: ${asked} is not there or cannot be run (name one with --envoy PATH or GATEHOUSE_ENVOY, or put envoy on the PATH)`,
    };
  return {
    ok: true,
    options: {
      paths: flags.filename.map((path) => resolve(path)),
      meshConfigFile: flags.meshConfig === undefined ? undefined : resolve(flags.meshConfig),
      capture: flags.capture,
      gatewayPort,
      runDir: resolve(flags.runDir),
      images: images.value,
      envoy,
      served: served.value,
      certificateTtl: flags.certificateTtl,
      automaticScope: flags.automaticScope === true,
      auditStore: auditStore.value,
      alertsFile: flags.alerts === undefined ? undefined : resolve(flags.alerts),
      federation: federationArguments(flags),
    },
  };
}

function auditStoreOf({ auditDb, auditDbPasswordFile }: UpFlags): Parsed<StoreLocation | undefined> {
  if (auditDb === undefined)
    return auditDbPasswordFile === undefined
      ? { ok: true, value: undefined }
      : { ok: false, reason: '--audit-db-password-file: a password is only for --audit-db postgres://' };
  const passwordFile = auditDbPasswordFile === undefined ? undefined : resolve(auditDbPasswordFile);
  const location = parseStoreLocation(auditDb, passwordFile);
  return location.ok ? location : { ok: false, reason: `--audit-db: ${location.reason}` };
}

function readTable(file: string): Parsed<ImageTable> {
  try {
    // Commands run in the folder apps/ beside the table; where there is none, beside the table itself.
    const table = parseImageTable(readFileSync(file, 'utf8'), join(dirname(resolve(file)), 'apps'));
    return table.ok ? table : { ok: false, reason: `${file}: ${table.reason}` };
  } catch (error) {
    return { ok: false, reason: `--images: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function imagesOf(flags: UpFlags): Parsed<ImageTable> {
  const all = new Map<string, ImageCommand>();
  const samples = samplesFolder();
  for (const file of [...(samples === undefined ? [] : [join(samples, 'images.yaml')]), ...(flags.images ?? [])]) {
    const table = readTable(file);
    if (!table.ok) return table;
    for (const [name, command] of table.value) all.set(name, command);
  }
  for (const flag of flags.image ?? []) {
    const entry = parseImageFlag(flag, process.cwd());
    if (!entry.ok) return { ok: false, reason: `--image: ${entry.reason}` };
    all.set(...entry.value);
  }
  return { ok: true, value: all };
}
