import { mergeConfig, type ViteUserConfig } from "vitest/config";
import { shared } from "../vitest.shared.ts";

const config: ViteUserConfig = mergeConfig(shared, {
  test: {
    name: "tools",
    globalSetup: ["redis", "mongo", "tarantool", "zk"].map((store) => `./services/setup-${store}.ts`),
  },
});
export default config;
