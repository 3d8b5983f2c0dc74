/** Object identifiers by the hexadecimal of their contents, as a DER reader meets them. */
export const OID = Object.freeze({
  extensionRequest: '2a864886f70d01090e',
  subjectKeyIdentifier: '551d0e',
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  authorityKeyIdentifier: '551d23',
  extendedKeyUsage: '551d25',
  serverAuth: '2b06010505070301',
  clientAuth: '2b06010505070302',
});
