import { mergeConfig, type ViteUserConfig } from "vitest/config";
import { shared } from "../../vitest.shared.ts";

const config: ViteUserConfig = mergeConfig(shared, {
  test: {
    name: "services",
    globalSetup: ["./setup-redis.ts", "./setup-mongo.ts", "./setup-tarantool.ts", "./setup-zk.ts"],
  },
});
export default config;
