/** Debian's packages: on a Debian machine, root gets the programs that are missing from there. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const LOCK = "/var/lock/pq-services";
const TIME_LIMIT = "600";

/**
 * One installation at a time (flock), from what apt knows already, or else after an update, or else with backports added.
 * Packages start their servers when they are installed; policy-rc.d is how Debian is told not to.
 */
const SCRIPT = `
set -eu
. /etc/os-release
known() { for name in "$@"; do apt-cache show "$name" >/dev/null 2>&1 || return 1; done; }
add_backports() {
  file=/etc/apt/sources.list.d/pq-backports.sources
  suite="$VERSION_CODENAME-backports"
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  printf 'Types: deb\\nURIs: http://deb.debian.org/debian\\nSuites: %s\\nComponents: main\\nSigned-By: %s\\n' "$suite" "$keyring" > "$file"
}
if ! known "$@"; then apt-get update -qq || true; fi
if ! known "$@"; then add_backports; apt-get update -qq; fi
if [ ! -e /usr/sbin/policy-rc.d ]; then
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
fi
install() { apt-get install -y -qq --no-install-recommends "$@"; }
install "$@" || { apt-get update -qq; install "$@"; }
`;

/** True where `install` may work: root on Debian. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync("/usr/bin/apt-get") && isDebian();
}

/** Install packages; rejects with what apt printed. */
export async function install(...packages: readonly string[]): Promise<void> {
  const command = ["--timeout", TIME_LIMIT, LOCK, "sh", "-c", SCRIPT, "install", ...packages];
  await new Promise<void>((resolve, reject) => {
    const child = spawn("flock", command, {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const collect = (chunk: Buffer): void => void (output += chunk.toString());
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`Debian's ${packages.join(", ")} cannot be installed (${code}).\n${output.trim()}`));
    });
  });
}

/** The name of this machine's release, such as `bookworm`. */
export function debianRelease(): string {
  return /^VERSION_CODENAME=(\w+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "stable";
}

function isDebian(): boolean {
  return existsSync("/etc/os-release") && /^ID=debian$/m.test(readFileSync("/etc/os-release", "utf8"));
}
