# make reads this file before each makefile (MAKEFILES in config.toml). It concerns the builds of librdkafka and OpenSSL, which do not
# look at the profile: librdkafka's configure always chooses -O2, OpenSSL's -O3.
ifneq ($(filter $(CARGO_MANIFEST_LINKS),rdkafka openssl),)

# The level of the package in the profile, as for Rust code. The compiler obeys the last -O.
%.o: CFLAGS += -O$(OPT_LEVEL)

# librdkafka's makefile always chooses -O3 for LZ4, which takes a quarter of the time to compile librdkafka. Only optimized builds need it.
ifeq ($(OPT_LEVEL),0)
lz4.o lz4frame.o lz4hc.o: override CFLAGS += -O0
endif

# librdkafka's C++ library is not built: nothing links it.
override LIBSUBDIRS = src

endif
