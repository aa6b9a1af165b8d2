"""Between frames and maps: encoders, decoders, patches, and the ways between coarse and fine maps."""
