import { CK, Pkcs11Error } from './constants.ts';

export type Handle = bigint;
export type Attribute = readonly [type: bigint, value: Uint8Array];

/**
 * The calls of a PKCS#11 module (Cryptoki 2.40) that are needed here. Structures are laid out by hand in buffers: on every 64-bit Unix
 * CK_ULONG has eight bytes and nothing is packed.
 */
export interface Library {
  initialize(): void;
  finalize(): void;
  /** Slots with a token in them. */
  slots(): readonly Handle[];
  /** Label and serial number of the token in a slot. */
  token(slot: Handle): { readonly label: string; readonly serial: string };
  openSession(slot: Handle, writable: boolean): Handle;
  closeSession(session: Handle): void;
  login(session: Handle, pin: Uint8Array): void;
  find(session: Handle, template: readonly Attribute[]): readonly Handle[];
  attribute(session: Handle, object: Handle, type: bigint): Buffer;
  destroy(session: Handle, object: Handle): void;
  generateKeyPair(
    session: Handle,
    mechanism: bigint,
    publicTemplate: readonly Attribute[],
    privateTemplate: readonly Attribute[],
  ): void;
  /** On a thread of libuv's pool: a network HSM takes milliseconds. One at a time for each session. */
  sign(session: Handle, key: Handle, mechanism: bigint, input: Uint8Array): Promise<Buffer>;
}

export const ulong = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

const LARGEST_ATTRIBUTE = 4096;
const LARGEST_SIGNATURE = 1024;
const MOST_FOUND = 16;

/** Positions in CK_FUNCTION_LIST, and the types of the parameters. */
const CALLS = Object.freeze({
  C_Initialize: [0, ['void *']],
  C_Finalize: [1, ['void *']],
  C_GetSlotList: [4, ['uint8_t', 'void *', 'void *']],
  C_GetTokenInfo: [6, ['ulong', 'void *']],
  C_OpenSession: [12, ['ulong', 'ulong', 'void *', 'void *', 'void *']],
  C_CloseSession: [13, ['ulong']],
  C_Login: [18, ['ulong', 'ulong', 'void *', 'ulong']],
  C_DestroyObject: [22, ['ulong', 'ulong']],
  C_GetAttributeValue: [24, ['ulong', 'ulong', 'void *', 'ulong']],
  C_FindObjectsInit: [26, ['ulong', 'void *', 'ulong']],
  C_FindObjects: [27, ['ulong', 'void *', 'ulong', 'void *']],
  C_FindObjectsFinal: [28, ['ulong']],
  C_SignInit: [42, ['ulong', 'void *', 'ulong']],
  C_Sign: [43, ['ulong', 'void *', 'ulong', 'void *', 'void *']],
  C_GenerateKeyPair: [59, ['ulong', 'void *', 'void *', 'ulong', 'void *', 'ulong', 'void *', 'void *']],
} as const);
type Call = keyof typeof CALLS;
type Argument = bigint | number | Uint8Array | null;
type Native = ((...values: readonly Argument[]) => unknown) & {
  async(...values: readonly (Argument | ((error: unknown, code: unknown) => void))[]): void;
};

const code = (value: unknown): bigint => (typeof value === 'bigint' || typeof value === 'number' ? BigInt(value) : -1n);

// koffi unloads a library when its handle is collected, under the feet of the functions that were taken from it.
const loaded: unknown[] = [];
const kept = new Set<Uint8Array>();

/** Loads a PKCS#11 module into this process. Whoever names the module is trusted with everything: it is native code. */
export async function loadLibrary(path: string): Promise<Library> {
  if (process.platform === 'win32') throw new Error('PKCS#11 modules are not supported on Windows');
  // Loaded here and not at the top: few authorities have such a key.
  const { default: koffi } = await import('koffi');
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load(path);
  } catch (error) {
    throw new Error(`the PKCS#11 module ${path} cannot be loaded`, { cause: error });
  }
  loaded.push(library);
  const list: unknown[] = [null];
  const getList: (out: unknown[]) => unknown = library.func('C_GetFunctionList', 'ulong', [koffi.out(koffi.pointer('void *'))]);
  const got = code(getList(list));
  if (got !== CK.CKR_OK) throw new Pkcs11Error('C_GetFunctionList', got);
  // CK_VERSION, padded to eight bytes, precedes the functions.
  const functions: readonly unknown[] = koffi.decode(list[0], 8, 'void *', 68);
  const natives = new Map<Call, Native>();
  const native = (name: Call): Native => {
    const known = natives.get(name);
    if (known !== undefined) return known;
    const [index, types] = CALLS[name];
    const made: Native = koffi.decode(functions[index], koffi.proto('ulong', [...types]));
    natives.set(name, made);
    return made;
  };
  const call = (name: Call, ...values: readonly Argument[]): void => {
    const result = code(native(name)(...values));
    if (result !== CK.CKR_OK) throw new Pkcs11Error(name, result);
  };
  // The pointers are to memory of the values: whoever calls keeps those alive until the module has returned.
  const template = (attributes: readonly Attribute[]): Buffer =>
    Buffer.concat(attributes.flatMap(([type, value]) => [ulong(type), ulong(koffi.address(value)), ulong(BigInt(value.length))]));
  const mechanism = (type: bigint): Buffer => Buffer.concat([ulong(type), Buffer.alloc(16)]);

  return {
    initialize() {
      const args = Buffer.alloc(48);
      args.writeBigUInt64LE(CK.CKF_OS_LOCKING_OK, 32);
      const result = code(native('C_Initialize')(args));
      if (result !== CK.CKR_OK && result !== CK.CKR_CRYPTOKI_ALREADY_INITIALIZED) throw new Pkcs11Error('C_Initialize', result);
    },
    finalize: () => call('C_Finalize', null),
    slots() {
      const count = ulong(64n);
      const found = Buffer.alloc(64 * 8);
      call('C_GetSlotList', 1, found, count);
      return handles(found, count);
    },
    token(slot) {
      const info = Buffer.alloc(512);
      call('C_GetTokenInfo', slot, info);
      return { label: info.toString('utf8', 0, 32).trimEnd(), serial: info.toString('utf8', 80, 96).trimEnd() };
    },
    openSession(slot, writable) {
      const session = Buffer.alloc(8);
      call('C_OpenSession', slot, CK.CKF_SERIAL_SESSION | (writable ? CK.CKF_RW_SESSION : 0n), null, null, session);
      return session.readBigUInt64LE();
    },
    closeSession: (session) => call('C_CloseSession', session),
    login(session, pin) {
      const result = code(native('C_Login')(session, CK.CKU_USER, pin, BigInt(pin.length)));
      if (result !== CK.CKR_OK && result !== CK.CKR_USER_ALREADY_LOGGED_IN) throw new Pkcs11Error('C_Login', result);
    },
    find(session, wanted) {
      call('C_FindObjectsInit', session, template(wanted), BigInt(wanted.length));
      const [found, count] = [Buffer.alloc(MOST_FOUND * 8), Buffer.alloc(8)];
      call('C_FindObjects', session, found, BigInt(MOST_FOUND), count);
      call('C_FindObjectsFinal', session);
      return handles(found, count);
    },
    attribute(session, object, type) {
      const value = Buffer.alloc(LARGEST_ATTRIBUTE);
      const wanted = template([[type, value]]);
      call('C_GetAttributeValue', session, object, wanted, 1n);
      return value.subarray(0, Math.min(Number(wanted.readBigUInt64LE(16)), LARGEST_ATTRIBUTE));
    },
    destroy: (session, object) => call('C_DestroyObject', session, object),
    generateKeyPair(session, type, publicTemplate, privateTemplate) {
      const [publicKey, privateKey] = [Buffer.alloc(8), Buffer.alloc(8)];
      const [open, secret] = [template(publicTemplate), template(privateTemplate)];
      const [openCount, secretCount] = [BigInt(publicTemplate.length), BigInt(privateTemplate.length)];
      call('C_GenerateKeyPair', session, mechanism(type), open, openCount, secret, secretCount, publicKey, privateKey);
    },
    sign(session, key, type, input) {
      call('C_SignInit', session, mechanism(type), key);
      const [signature, length] = [Buffer.alloc(LARGEST_SIGNATURE), ulong(BigInt(LARGEST_SIGNATURE))];
      // The other thread reads the input after this function has ended.
      kept.add(input);
      return new Promise((resolve, reject) => {
        native('C_Sign').async(session, input, BigInt(input.length), signature, length, (error, result) => {
          kept.delete(input);
          if (error instanceof Error) reject(error);
          else if (code(result) !== CK.CKR_OK) reject(new Pkcs11Error('C_Sign', code(result)));
          else resolve(signature.subarray(0, Number(length.readBigUInt64LE())));
        });
      });
    },
  };
}

function handles(found: Buffer, count: Buffer): readonly Handle[] {
  return Array.from({ length: Number(count.readBigUInt64LE()) }, (_, index) => found.readBigUInt64LE(index * 8));
}
