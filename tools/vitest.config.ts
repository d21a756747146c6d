import { mergeConfig, type ViteUserConfig } from "vitest/config";
import { shared } from "../vitest.shared.ts";

const config: ViteUserConfig = mergeConfig(shared, {
  test: {
    name: "tools",
    globalSetup: ["./services/setup-redis.ts", "./services/setup-mongo.ts", "./services/setup-zk.ts"],
  },
});
export default config;
