import type { ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = { test: { projects: ["packages/*", "tools", "tools/services"] } };
export default config;
