import { parse } from 'yaml';
import type { Parsed } from '../../ca/identity/parsed.ts';
import { words } from './words.ts';

/** What runs on this machine in place of a container image. */
export interface ImageCommand {
  readonly command: readonly string[];
  /** The folder it runs in. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export type ImageTable = ReadonlyMap<string, ImageCommand>;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An image's name as the table has it: without the registry that Docker takes when none is given. */
function imageName(image: string): string {
  return image.replace(/^docker\.io\//, '').replace(/^library\//, '');
}

/** The name without tag and digest. */
function untagged(image: string): string {
  const bare = image.replace(/@.*$/, '');
  const colon = bare.lastIndexOf(':');
  return colon > bare.lastIndexOf('/') ? bare.slice(0, colon) : bare;
}

/** The entry for an image: its whole name first, then its name for every tag. */
export function lookUp(table: ImageTable, image: string): ImageCommand | undefined {
  const name = imageName(image);
  return table.get(name) ?? table.get(untagged(name));
}

/** Parses an image table (`images: {NAME: {command, env}}`, as manifests/samples/images.yaml). */
export function parseImageTable(text: string, cwd: string): Parsed<ImageTable> {
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
  const images = isRecord(content) ? content['images'] : undefined;
  if (!isRecord(images)) return { ok: false, reason: 'has no map `images`' };
  const table = new Map<string, ImageCommand>();
  for (const [name, entry] of Object.entries(images)) {
    const line = isRecord(entry) ? entry['command'] : entry;
    if (typeof line !== 'string') return { ok: false, reason: `images.${name} has no command` };
    const command = words(line);
    if (!command.ok) return { ok: false, reason: `the command of images.${name} ${command.reason}` };
    const given = isRecord(entry) && isRecord(entry['env']) ? entry['env'] : {};
    const env: Record<string, string> = {};
    for (const [key, value] of Object.entries(given)) env[key] = String(value);
    table.set(imageName(name), { command: command.value, cwd, env });
  }
  return { ok: true, value: table };
}

/** Parses one `--image NAME=COMMAND`; the name may hold a tag, the command runs in `cwd`. */
export function parseImageFlag(flag: string, cwd: string): Parsed<readonly [string, ImageCommand]> {
  const equals = flag.indexOf('=');
  if (equals < 1) return { ok: false, reason: `${flag}: must be NAME=COMMAND` };
  const command = words(flag.slice(equals + 1));
  if (!command.ok) return { ok: false, reason: `${flag}: the command ${command.reason}` };
  return { ok: true, value: [imageName(flag.slice(0, equals)), { command: command.value, cwd, env: {} }] };
}
