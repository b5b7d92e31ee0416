/** How a system or a program comes to trust the authority, and by which command. */
export interface Way {
  system: string;
  command: string;
  note?: string;
}

/** Every way, for an authority of this name in this file; example is an address that it then vouches for. */
export function ways(name: string, path: string, example: string): Way[] {
  const file = quoted(path);
  return [
    {
      system: 'macOS',
      command: `security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db ${file}`,
      note: 'For Safari, Chrome and Firefox; without root.',
    },
    {
      system: 'Debian, Ubuntu',
      command: `sudo cp ${file} /usr/local/share/ca-certificates/platform-ops.crt && sudo update-ca-certificates`,
      note: 'For curl, wget and most programs, but no browser.',
    },
    {
      system: 'Fedora, RHEL',
      command: `sudo cp ${file} /etc/pki/ca-trust/source/anchors/platform-ops.crt && sudo update-ca-trust`,
    },
    { system: 'Arch Linux', command: `sudo trust anchor --store ${file}` },
    {
      system: 'Chrome, Chromium, Edge on Linux',
      command: `certutil -d "sql:$HOME/.pki/nssdb" -A -t C,, -n ${quoted(name)} -i ${file}`,
      note: 'Without root. certutil is in libnss3-tools (Debian, Ubuntu), nss-tools (Fedora), nss (Arch).',
    },
    {
      system: 'Firefox on Linux',
      command: `certutil -d "sql:<profile folder>" -A -t C,, -n ${quoted(name)} -i ${file}`,
      note: 'Without root. about:profiles shows the folder. Or: Settings, Certificates, View Certificates, Authorities, Import.',
    },
    {
      system: 'Windows, from WSL',
      command: `certutil.exe -user -addstore Root "$(wslpath -w ${file})"`,
      note: 'For Edge, Chrome and Firefox on Windows; without administrator rights.',
    },
    { system: 'curl', command: `curl --cacert ${file} ${example}` },
    { system: 'Node.js', command: `NODE_EXTRA_CA_CERTS=${file} node ...` },
    {
      system: 'Python',
      command: `SSL_CERT_FILE=${file} python3 ...`,
      note: 'Takes the place of all other authorities. The package requests reads REQUESTS_CA_BUNDLE in the same way.',
    },
  ];
}

/** As a POSIX shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
